variable "subscription" {
  description = "The subscription that pays."
  type        = string
}

variable "name" {
  description = "The clinic's name in Azure: lower case letters, digits and hyphens."
  type        = string
  default     = "polyclinic"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,16}$", var.name))
    error_message = "Three to seventeen lower case letters, digits and hyphens, beginning with a letter."
  }
}

variable "location" {
  description = "Where the data lie; a region with three zones."
  type        = string
}

variable "cidr" {
  description = "The network's addresses, a /16."
  type        = string
  default     = "10.41.0.0/16"
}

variable "operator_cidrs" {
  description = "From where the cluster's own door may be reached; empty leaves it inside."
  type        = list(string)
  default     = []
}

variable "kubernetes_version" {
  type    = string
  default = "1.33"
}

variable "vm_size" {
  type    = string
  default = "Standard_D2ps_v6"
}

variable "nodes_max" {
  type    = number
  default = 9
}

variable "postgresql_version" {
  description = "Of the Flexible Server."
  type        = string
  default     = "18"
}

variable "database_sku" {
  type    = string
  default = "GP_Standard_D2ads_v5"
}

variable "database_mb" {
  type    = number
  default = 131072
}

variable "cluster_nodes" {
  description = "0: one Flexible Server. From 2 on: an elastic cluster of so many nodes (PostgreSQL 17 or newer)."
  type        = number
  default     = 0

  validation {
    condition     = var.cluster_nodes == 0 || (var.cluster_nodes >= 2 && var.cluster_nodes <= 20)
    error_message = "Either 0, or 2 to 20 nodes."
  }
}

variable "geo_redundant" {
  description = "Copies of backups in the paired region, too."
  type        = bool
  default     = true
}
