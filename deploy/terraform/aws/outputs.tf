output "database_url" {
  description = "For the chart's database.url: no name and no password, each service has its own role."
  value       = "postgresql://${aws_db_instance.clinic.endpoint}/clinic?sslmode=verify-full&sslrootcert=system"
}

output "database_owner_secret" {
  description = "Where Secrets Manager keeps the owner's password, for the migration job."
  value       = aws_db_instance.clinic.master_user_secret[0].secret_arn
}

output "database_cidrs" {
  description = "For the chart's database.cidrs."
  value       = module.network.database_subnets_cidr_blocks
}

output "kms_key" {
  value = aws_kms_key.clinic.arn
}

output "backups" {
  value = aws_s3_bucket.backups.bucket
}
