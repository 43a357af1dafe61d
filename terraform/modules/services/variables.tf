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

variable "public_subnet_ids" {
  description = "Subnets of the balancer, in two zones or more."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "balancer_security_group_id" {
  description = "The security group of the balancer."
  type        = string
}

variable "services_security_group_id" {
  description = "The security group of the tasks."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster: `cluster_arn` of the module tasks."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "task_definition_arns" {
  description = "The task definition of each service: `task_definition_arns` of the module tasks."
  type        = map(string)
}

variable "certificate_arn" {
  description = "The certificate of ACM for the name under which clients reach importer-api."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:acm:", var.certificate_arn))
    error_message = "It takes the ARN of a certificate of ACM in the region."
  }
}

variable "page" {
  description = "Whether the balancer forwards the page, the sample and the API documentation beside /v1."
  type        = bool
  default     = true
}

variable "internal" {
  description = "Whether the balancer is reached from inside the VPC alone."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the balancer."
  type        = bool
  default     = true
}

variable "importers" {
  description = "How many importer-apis there are; two for their availability."
  type        = number
  default     = 2

  validation {
    condition     = var.importers >= 1
    error_message = "At least one."
  }
}

variable "workers" {
  description = "Fewest and most tasks of each worker, and the queue that it works on. The mail server's limit is shared by all: MAIL_MAX_PER_SECOND is one process's."
  type        = map(object({ queue = string, least = number, most = number }))

  validation {
    condition     = length(setintersection(keys(var.workers), ["billing-worker", "send-mail-worker"])) == 2
    error_message = "It needs billing-worker and send-mail-worker."
  }

  validation {
    condition     = alltrue([for worker in values(var.workers) : worker.least >= 1 && worker.most >= worker.least])
    error_message = "At least one task, and not fewer at most than at least."
  }
}
