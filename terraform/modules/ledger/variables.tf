variable "name" {
  description = "What the names begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "A name has up to 20 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC: `vpc_id` of the module network."
  type        = string
}

variable "kms_key_arn" {
  description = "A KMS key of your own. Without it AWS uses its own key."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "It takes the ARN of a KMS key."
  }
}

variable "subnet_ids" {
  description = "Private subnets of two zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "It takes subnets of two zones or more, as there is a copy in another zone."
  }
}

variable "client_security_group_id" {
  description = "The security group of the services, which alone may connect."
  type        = string
}

variable "password" {
  description = "Password of the user at creation: 24 to 128 letters and digits, as it is part of a URL. Terraform's state holds it. Later ones are set by hand, in the database and in the secret."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{24,128}$", var.password))
    error_message = "It takes 24 to 128 letters and digits: `openssl rand -hex 24` makes one."
  }
}

variable "engine_version" {
  description = "Version of PostgreSQL, 15 or later."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.engine_version)) && try(tonumber(split(".", var.engine_version)[0]), 0) >= 15
    error_message = "The suite takes PostgreSQL 15 or later."
  }
}

variable "instance_class" {
  description = "Class of the instance and of its copy."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = can(regex("^db\\.", var.instance_class))
    error_message = "A class such as db.t4g.medium."
  }
}

variable "storage_gb" {
  description = "Gigabytes of the disk at first; a million debts take about 2.1."
  type        = number
  default     = 50

  validation {
    condition     = var.storage_gb >= 20
    error_message = "RDS takes 20 or more."
  }
}

variable "most_storage_gb" {
  description = "Gigabytes up to which the disk grows by itself."
  type        = number
  default     = 1000
}

variable "backup_days" {
  description = "Days of which any second can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "1 to 35 days: without backups a mistake would bill every debt again."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the ledger, and a last snapshot is taken if it is deleted after all."
  type        = bool
  default     = true
}

variable "ca_file" {
  description = "Where the services have the certificates of RDS, which no system trusts by itself; part of the URL."
  type        = string
  default     = "/etc/billing/rds.pem"

  validation {
    condition     = can(regex("^/[A-Za-z0-9/._-]+$", var.ca_file))
    error_message = "It takes the path of a file."
  }
}

variable "alarm_actions" {
  description = "ARNs that are told of an alarm and of its end."
  type        = list(string)
  default     = []
}
