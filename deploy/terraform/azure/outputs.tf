output "database_url" {
  description = "For the chart's database.url: no name and no password, each service has its own role."
  value       = "postgresql://${azurerm_postgresql_flexible_server.clinic.fqdn}/clinic?sslmode=verify-full&sslrootcert=system"
}

output "database_owner_secret" {
  description = "Where the vault keeps the owner's address, for the migration job."
  value       = azurerm_key_vault_secret.owner.versionless_id
}

output "database_cidrs" {
  description = "For the chart's database.cidrs."
  value       = azurerm_subnet.database.address_prefixes
}

output "vault" {
  value = azurerm_key_vault.clinic.name
}

output "backups" {
  value = azurerm_storage_account.backups.name
}
