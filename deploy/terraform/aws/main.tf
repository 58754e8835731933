# A cluster, a database, a key and a place for backups in AWS. Applied once; the clinic itself is the
# Helm chart (docs/guides/deploy-kubernetes.md).

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.60"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { application = "polyclinic", clinic = var.name }
  }
}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_caller_identity" "us" {}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, 3)
}

module "network" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 5.13"

  name             = var.name
  cidr             = var.cidr
  azs              = local.zones
  private_subnets  = [for n in range(3) : cidrsubnet(var.cidr, 4, n)]
  public_subnets   = [for n in range(3) : cidrsubnet(var.cidr, 8, 48 + n)]
  database_subnets = [for n in range(3) : cidrsubnet(var.cidr, 8, 64 + n)]

  enable_nat_gateway     = true
  one_nat_gateway_per_az = true
  enable_flow_log        = true

  create_flow_log_cloudwatch_iam_role  = true
  create_flow_log_cloudwatch_log_group = true
}

module "cluster" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 20.24"

  cluster_name                             = var.name
  cluster_version                          = var.kubernetes_version
  vpc_id                                   = module.network.vpc_id
  subnet_ids                               = module.network.private_subnets
  cluster_endpoint_public_access           = length(var.operator_cidrs) > 0
  cluster_endpoint_public_access_cidrs     = var.operator_cidrs
  enable_cluster_creator_admin_permissions = true

  # Secrets in the cluster's own store are wrapped by our key, too.
  cluster_encryption_config = {
    resources        = ["secrets"]
    provider_key_arn = aws_kms_key.clinic.arn
  }
  cluster_enabled_log_types = ["api", "audit", "authenticator"]

  # The VPC's own network plug-in enforces the chart's network policies.
  cluster_addons = {
    coredns    = {}
    kube-proxy = {}
    vpc-cni    = { configuration_values = jsonencode({ enableNetworkPolicy = "true" }) }
  }

  eks_managed_node_groups = {
    clinic = {
      instance_types = var.instance_types
      min_size       = 3
      max_size       = var.nodes_max
      desired_size   = 3
      metadata_options = {
        http_tokens                 = "required"
        http_put_response_hop_limit = 1
      }
    }
  }
}

# The key that wraps what the services, the database and the backups keep.
resource "aws_kms_key" "clinic" {
  description             = "polyclinic ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "clinic" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.clinic.key_id
}

resource "aws_security_group" "database" {
  name_prefix = "${var.name}-database-"
  description = "PostgreSQL, from the cluster's nodes alone"
  vpc_id      = module.network.vpc_id

  ingress {
    description     = "PostgreSQL"
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [module.cluster.node_security_group_id]
  }
}

resource "aws_db_parameter_group" "clinic" {
  name_prefix = "${var.name}-"
  family      = "postgres18"

  # The server's log quotes nothing of what was sent to it, and nobody speaks in the clear.
  dynamic "parameter" {
    for_each = {
      "rds.force_ssl"                    = "1"
      "log_min_error_statement"          = "panic"
      "log_parameter_max_length_on_error" = "0"
      "synchronous_commit"               = "on"
    }
    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }
}

resource "aws_db_instance" "clinic" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = "18"
  instance_class = var.database_class
  db_name        = "clinic"
  username       = "polyclinic_owner"

  # The password is made, kept and turned by Secrets Manager; it is never in this state.
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.clinic.arn

  allocated_storage     = var.database_gb
  max_allocated_storage = var.database_gb * 4
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.clinic.arn

  multi_az               = true
  db_subnet_group_name   = module.network.database_subnet_group_name
  vpc_security_group_ids = [aws_security_group.database.id]
  parameter_group_name   = aws_db_parameter_group.clinic.name
  publicly_accessible    = false

  backup_retention_period   = 35
  copy_tags_to_snapshot     = true
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-last"

  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.clinic.arn
  auto_minor_version_upgrade      = true
}

# Backups that nobody can change for 30 days, not even whoever wrote them.
resource "aws_s3_bucket" "backups" {
  bucket              = "${var.name}-backups-${data.aws_caller_identity.us.account_id}"
  object_lock_enabled = true
}

resource "aws_s3_bucket_versioning" "backups" {
  bucket = aws_s3_bucket.backups.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id
  rule {
    default_retention {
      mode = "COMPLIANCE"
      days = 30
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.clinic.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_public_access_block" "backups" {
  bucket                  = aws_s3_bucket.backups.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
