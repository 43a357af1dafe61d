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
  description = "Password of the user: 24 to 128 letters and digits, as it is part of a URL. Terraform's state holds it."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{24,128}$", var.password))
    error_message = "It takes 24 to 128 letters and digits: `openssl rand -hex 24` makes one."
  }
}

variable "node_type" {
  description = "Type of each node. All debts are in memory: about 0.8 GB a million, over all shards."
  type        = string
  default     = "cache.r7g.large"

  validation {
    condition     = can(regex("^cache\\.", var.node_type))
    error_message = "A type such as cache.r7g.large."
  }
}

variable "shards" {
  description = "Shards, 1 to 16: the debts are spread over 16 tags."
  type        = number
  default     = 1

  validation {
    condition     = var.shards >= 1 && var.shards <= 16
    error_message = "1 to 16 shards."
  }
}

variable "snapshot_days" {
  description = "Days for which daily snapshots are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.snapshot_days >= 1 && var.snapshot_days <= 35
    error_message = "1 to 35 days."
  }
}
