variable "region" {
  description = "The region of all of it."
  type        = string
  default     = "sa-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region such as sa-east-1."
  }
}

variable "name" {
  description = "What the names of everything but queues and topic begin with, such as `billing` or `billing-staging`."
  type        = string
  default     = "billing"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "A name has up to 20 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "queue_prefix" {
  description = "What the names of the queues and of the topic begin with, where an account has more than one suite: `staging-`."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,40}$", var.queue_prefix))
    error_message = "A prefix has up to 40 letters, digits, hyphens and underscores."
  }
}

variable "bucket" {
  description = "Name of the bucket for the files of the imports, which is unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket has 3 to 63 small letters, digits and hyphens."
  }
}

variable "alarm_actions" {
  description = "ARNs that are told of an alarm and of its end, such as an SNS topic of your people on call."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : can(regex("^arn:", arn))])
    error_message = "Each is an ARN."
  }
}
