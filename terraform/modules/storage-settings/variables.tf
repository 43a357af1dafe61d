variable "bucket" {
  description = "Name of the bucket: `bucket` of the module storage."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket has 3 to 63 small letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of your own for the files. Without it S3 uses its own key (SSE-S3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "It takes the ARN of a KMS key."
  }
}
