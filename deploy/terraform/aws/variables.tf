variable "name" {
  description = "The clinic's name in AWS: lower case letters, digits and hyphens."
  type        = string
  default     = "polyclinic"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,29}$", var.name))
    error_message = "Three to thirty lower case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Where the data lie. Sign a business associate agreement with AWS for it first."
  type        = string
}

variable "cidr" {
  description = "The network's addresses, a /16."
  type        = string
  default     = "10.40.0.0/16"
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

variable "instance_types" {
  type    = list(string)
  default = ["m7g.large"]
}

variable "nodes_max" {
  type    = number
  default = 9
}

variable "database_class" {
  type    = string
  default = "db.m7g.large"
}

variable "database_gb" {
  type    = number
  default = 100
}
