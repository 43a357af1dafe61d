variable "bucket" {
  description = "Name of the bucket for the files of the imports, which is unique in the world. A bucket, or a prefix of it, belongs to one ledger."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket has 3 to 63 small letters, digits and hyphens; a dot would break TLS."
  }
}

variable "prefix" {
  description = "Prefix of the files in the bucket."
  type        = string
  default     = "imports"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.prefix))
    error_message = "A prefix is not empty, and has no slash at either end."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` removes files with the bucket. They hold personal data, and an open import needs its file."
  type        = bool
  default     = false
}
