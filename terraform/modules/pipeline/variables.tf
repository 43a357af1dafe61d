variable "prefix" {
  description = "What the names of the queues and of the topic begin with, such as `staging-`; empty for the names of the contract."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,40}$", var.prefix))
    error_message = "A prefix has up to 40 letters, digits, hyphens and underscores."
  }
}

variable "further_subscribers" {
  description = "Further queues that get every bill, such as `process-sms`; each has its own dead letters."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([
      for name in var.further_subscribers : can(regex("^[A-Za-z0-9_-]{1,30}$", name)) && !contains(["data-process", "process-email"], name)
    ])
    error_message = "A subscriber has up to 30 letters, digits, hyphens and underscores, and a name that is not taken: data-process and process-email are."
  }
}

variable "max_receive_count" {
  description = "Receives after which a message is a dead letter. An outage uses up none, so these are failures of the message's own."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 2 && var.max_receive_count <= 1000
    error_message = "A message has 2 to 1000 receives: with one a killed worker makes a dead letter."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of your own for queues and topic. Its policy must let sns.amazonaws.com use it. Without it SQS uses its own key (SSE-SQS)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "It takes the ARN of a KMS key."
  }
}

variable "oldest_message_alarm_seconds" {
  description = "Age in seconds of the oldest message that can be received from which a work queue raises an alarm."
  type        = number
  default     = 300

  validation {
    condition     = var.oldest_message_alarm_seconds >= 60
    error_message = "CloudWatch looks at a queue once a minute: 60 seconds or more."
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
