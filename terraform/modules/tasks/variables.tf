variable "name" {
  description = "What the names begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "A name has up to 20 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "The region, for the logs."
  type        = string
}

variable "images" {
  description = "The image of each service, with a tag or digest that stays what it is."
  type        = map(string)

  validation {
    condition     = length(setintersection(keys(var.images), ["importer-api", "billing-worker", "send-mail-worker"])) == 3
    error_message = "It needs importer-api, billing-worker and send-mail-worker."
  }

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("(:[^/:]+|@sha256:[0-9a-f]{64})$", image)) && !endswith(image, ":latest")])
    error_message = "An image has a tag other than latest, or a digest."
  }
}

variable "repository_arns" {
  description = "ARNs of the repositories of the images: `repository_arns` of the module images. Empty for images that anybody may pull."
  type        = list(string)
  default     = []
}

variable "role_arns" {
  description = "The role of each program: `role_arns` of the module access."
  type        = map(string)

  validation {
    condition     = length(setintersection(keys(var.role_arns), ["importer-api", "billing-worker", "send-mail-worker", "operator"])) == 4
    error_message = "It needs importer-api, billing-worker, send-mail-worker and operator."
  }
}

variable "environment" {
  description = "The variables of each program (docs/SETTINGS.md)."
  type        = map(map(string))

  validation {
    condition = alltrue([
      for variables in values(var.environment) : alltrue([
        for name in keys(variables) : !contains(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LEDGER_URL", "API_TOKENS", "SMTP_PASSWORD", "REDIS_PASSWORD"], name)
      ])
    ])
    error_message = "Keys are not needed, as each task has a role; other secrets go to `secrets`."
  }
}

variable "secrets" {
  description = "The variables of each program that are secret, as ARNs of secrets of Secrets Manager."
  type        = map(map(string))

  validation {
    condition     = alltrue([for variables in values(var.secrets) : alltrue([for arn in values(variables) : can(regex("^arn:[^:]+:secretsmanager:", arn))])])
    error_message = "Each is the ARN of a secret."
  }
}

variable "files" {
  description = "Text files that the services find in /etc/billing, by name: the certificates of RDS, your issuer.toml. They are part of the task definition, so no secrets, and 40 KB in all."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.files) : can(regex("^[A-Za-z0-9._-]+$", name))]) && length(join("", values(var.files))) <= 40000
    error_message = "Names without folders, and 40 KB in all."
  }
}

variable "sizes" {
  description = "CPU units (1024 are a core) and MiB of each program. A process uses one core."
  type        = map(object({ cpu = number, memory = number }))
  default = {
    importer-api     = { cpu = 512, memory = 1024 }
    billing-worker   = { cpu = 1024, memory = 2048 }
    send-mail-worker = { cpu = 1024, memory = 2048 }
    operator         = { cpu = 512, memory = 1024 }
  }

  validation {
    condition     = length(setintersection(keys(var.sizes), ["importer-api", "billing-worker", "send-mail-worker", "operator"])) == 4
    error_message = "It needs importer-api, billing-worker, send-mail-worker and operator."
  }
}

variable "log_days" {
  description = "Days for which logs are kept. They hold no personal data."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 180, 365, 400, 731], var.log_days)
    error_message = "CloudWatch takes 30, 60, 90, 180, 365, 400 or 731."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of your own for the logs, and of the secrets. Without it AWS uses its own key."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "It takes the ARN of a KMS key."
  }
}
