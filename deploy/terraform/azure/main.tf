# A cluster, a database, a vault and a place for backups in Azure. Applied once; the clinic itself is
# the Helm chart (docs/guides/deploy-kubernetes.md).

terraform {
  required_version = ">= 1.6"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.57"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.6"
    }
  }
}

provider "azurerm" {
  features {}
  subscription_id = var.subscription
}

data "azurerm_client_config" "us" {}

resource "azurerm_resource_group" "clinic" {
  name     = var.name
  location = var.location
}

resource "azurerm_virtual_network" "clinic" {
  name                = var.name
  resource_group_name = azurerm_resource_group.clinic.name
  location            = azurerm_resource_group.clinic.location
  address_space       = [var.cidr]
}

resource "azurerm_subnet" "cluster" {
  name                 = "cluster"
  resource_group_name  = azurerm_resource_group.clinic.name
  virtual_network_name = azurerm_virtual_network.clinic.name
  address_prefixes     = [cidrsubnet(var.cidr, 4, 0)]
}

resource "azurerm_subnet" "database" {
  name                 = "database"
  resource_group_name  = azurerm_resource_group.clinic.name
  virtual_network_name = azurerm_virtual_network.clinic.name
  address_prefixes     = [cidrsubnet(var.cidr, 8, 64)]

  delegation {
    name = "postgresql"
    service_delegation {
      name    = "Microsoft.DBforPostgreSQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_kubernetes_cluster" "clinic" {
  name                      = var.name
  resource_group_name       = azurerm_resource_group.clinic.name
  location                  = azurerm_resource_group.clinic.location
  dns_prefix                = var.name
  kubernetes_version        = var.kubernetes_version
  private_cluster_enabled   = length(var.operator_cidrs) == 0
  oidc_issuer_enabled       = true
  workload_identity_enabled = true
  local_account_disabled    = true

  dynamic "api_server_access_profile" {
    for_each = length(var.operator_cidrs) > 0 ? [1] : []
    content {
      authorized_ip_ranges = var.operator_cidrs
    }
  }

  default_node_pool {
    name                 = "clinic"
    vm_size              = var.vm_size
    vnet_subnet_id       = azurerm_subnet.cluster.id
    zones                = ["1", "2", "3"]
    auto_scaling_enabled = true
    min_count            = 3
    max_count            = var.nodes_max
  }

  identity {
    type = "SystemAssigned"
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled = true
  }

  # The network policies of the chart are enforced by Cilium.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_policy      = "cilium"
    network_data_plane  = "cilium"
  }

  key_vault_secrets_provider {
    secret_rotation_enabled = true
  }
}

resource "azurerm_key_vault" "clinic" {
  name                       = substr("${var.name}-${random_string.mark.result}", 0, 24)
  resource_group_name        = azurerm_resource_group.clinic.name
  location                   = azurerm_resource_group.clinic.location
  tenant_id                  = data.azurerm_client_config.us.tenant_id
  sku_name                   = "premium"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90
}

resource "random_string" "mark" {
  length  = 6
  special = false
  upper   = false
}

resource "azurerm_private_dns_zone" "database" {
  name                = "${var.name}.postgres.database.azure.com"
  resource_group_name = azurerm_resource_group.clinic.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "database" {
  name                  = var.name
  resource_group_name   = azurerm_resource_group.clinic.name
  private_dns_zone_name = azurerm_private_dns_zone.database.name
  virtual_network_id    = azurerm_virtual_network.clinic.id
}

resource "random_password" "owner" {
  length  = 40
  special = false
}

# The owner's password lies in the vault; the state that holds it too must be encrypted and closed.
resource "azurerm_key_vault_secret" "owner" {
  name         = "database-owner"
  key_vault_id = azurerm_key_vault.clinic.id
  value        = "postgresql://polyclinic_owner:${random_password.owner.result}@${azurerm_postgresql_flexible_server.clinic.fqdn}/clinic?sslmode=verify-full&sslrootcert=system"
}

resource "azurerm_postgresql_flexible_server" "clinic" {
  name                          = var.name
  resource_group_name           = azurerm_resource_group.clinic.name
  location                      = azurerm_resource_group.clinic.location
  version                       = var.postgresql_version
  delegated_subnet_id           = azurerm_subnet.database.id
  private_dns_zone_id           = azurerm_private_dns_zone.database.id
  public_network_access_enabled = false
  administrator_login           = "polyclinic_owner"
  administrator_password        = random_password.owner.result
  sku_name                      = var.database_sku
  storage_mb                    = var.database_mb
  auto_grow_enabled             = var.cluster_nodes == 0 # an elastic cluster's disks do not grow by themselves
  zone                          = "1"
  backup_retention_days         = 35
  geo_redundant_backup_enabled  = var.geo_redundant

  high_availability {
    mode                      = "ZoneRedundant"
    standby_availability_zone = "2"
  }

  # An elastic cluster: each service's schema may lie on a node of its own. Nodes are only ever added.
  dynamic "cluster" {
    for_each = var.cluster_nodes > 0 ? [var.cluster_nodes] : []
    content {
      size                  = cluster.value
      default_database_name = "clinic"
    }
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.database]

  lifecycle {
    prevent_destroy = true
  }
}

# An elastic cluster has the one database that it was made with.
resource "azurerm_postgresql_flexible_server_database" "clinic" {
  count     = var.cluster_nodes == 0 ? 1 : 0
  name      = "clinic"
  server_id = azurerm_postgresql_flexible_server.clinic.id
}

# The server's log quotes nothing of what was sent to it, and nobody speaks in the clear.
resource "azurerm_postgresql_flexible_server_configuration" "clinic" {
  for_each = {
    require_secure_transport          = "on"
    log_min_error_statement           = "panic"
    log_parameter_max_length_on_error = "0"
    synchronous_commit                = "on"
  }
  name      = each.key
  value     = each.value
  server_id = azurerm_postgresql_flexible_server.clinic.id
}

resource "azurerm_storage_account" "backups" {
  name                            = "${replace(var.name, "-", "")}${random_string.mark.result}"
  resource_group_name             = azurerm_resource_group.clinic.name
  location                        = azurerm_resource_group.clinic.location
  account_tier                    = "Standard"
  account_replication_type        = var.geo_redundant ? "GZRS" : "ZRS"
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false

  blob_properties {
    versioning_enabled = true
  }

  # Backups that nobody can change for 30 days, not even whoever wrote them.
  immutability_policy {
    allow_protected_append_writes = true
    period_since_creation_in_days = 30
    state                         = "Locked"
  }
}

resource "azurerm_storage_container" "backups" {
  name               = "backups"
  storage_account_id = azurerm_storage_account.backups.id
}
