variable "name" {
  description = "What the names of the roles begin with."
  type        = string
  default     = "billing"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "A name has up to 31 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "queue_arns" {
  description = "ARNs of the work queues by name: `queue_arns` of the module pipeline."
  type        = map(string)

  validation {
    condition     = length(setintersection(keys(var.queue_arns), ["data-process", "process-email"])) == 2
    error_message = "It needs data-process and process-email."
  }
}

variable "dead_letter_arns" {
  description = "ARNs of the dead letters by work queue: `dead_letter_arns` of the module pipeline."
  type        = map(string)

  validation {
    condition     = length(setintersection(keys(var.dead_letter_arns), ["data-process", "process-email"])) == 2
    error_message = "It needs data-process and process-email."
  }
}

variable "topic_arn" {
  description = "ARN of the topic of the bills."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:sns:", var.topic_arn))
    error_message = "It takes the ARN of a topic."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket with the files of the imports."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::[^/]+$", var.bucket_arn))
    error_message = "It takes the ARN of a bucket."
  }
}

variable "bucket_prefix" {
  description = "The prefix of the files in the bucket, as in SPOOL_URL."
  type        = string
  default     = "imports"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.bucket_prefix))
    error_message = "A prefix is not empty, and has no slash at either end."
  }
}

variable "kms_key_arn" {
  description = "The KMS key of queues, topic and bucket, where they have one of your own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "It takes the ARN of a KMS key."
  }
}
