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

variable "zones" {
  description = "Availability zones of the region."
  type        = list(string)
  default     = ["sa-east-1a", "sa-east-1c"]

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) >= 2
    error_message = "It takes two zones or more, each once."
  }
}

variable "single_nat_gateway" {
  description = "Whether all zones leave by one NAT gateway: cheaper, and without its zone everything waits."
  type        = bool
  default     = false
}

variable "host" {
  description = "The name under which clients reach importer-api, such as billing.example.com. Lead it to the output `balancer_dns_name`."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.host))
    error_message = "A name of DNS in small letters."
  }
}

variable "certificate_arn" {
  description = "The certificate of ACM for that name, in the region."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:acm:", var.certificate_arn))
    error_message = "It takes the ARN of a certificate of ACM."
  }
}

variable "image_tag" {
  description = "Tag of the three images, such as a commit; never `latest`, as a tag is given once."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "A tag other than latest."
  }
}

variable "ledger_password" {
  description = "Password of the ledger at its creation: 24 to 128 letters and digits. Give it as TF_VAR_ledger_password; the state holds it."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{24,128}$", var.ledger_password))
    error_message = "It takes 24 to 128 letters and digits: `openssl rand -hex 24` makes one."
  }
}

variable "ledger_class" {
  description = "Class of the ledger's instance and of its copy (docs/DEPLOY.md#size-and-cost)."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = can(regex("^db\\.", var.ledger_class))
    error_message = "A class such as db.t4g.medium."
  }
}

variable "keep_data" {
  description = "Whether ledger and balancer are protected from deletion, and files and a last snapshot kept. `false` is for trying it out."
  type        = bool
  default     = true
}

variable "rds_certificates" {
  description = "Path of the certificates of RDS in the region, from truststore.pki.rds.amazonaws.com."
  type        = string
  default     = "rds.pem"

  validation {
    condition     = can(file(var.rds_certificates))
    error_message = "There is no such file: curl --remote-name https://truststore.pki.rds.amazonaws.com/sa-east-1/sa-east-1-bundle.pem"
  }
}

variable "issuer_file" {
  description = "Path of your issuer.toml (docs/BOLETO.md). Without it the boletos are those of the demonstration, which nobody can pay."
  type        = string
  default     = null

  validation {
    condition     = var.issuer_file == null || can(file(var.issuer_file))
    error_message = "There is no such file."
  }
}

variable "api_tokens" {
  description = "Who may use the API: tokens of 16 or more letters and digits, one a client. Give them as TF_VAR_api_tokens; the state holds them."
  type        = list(string)
  sensitive   = true

  validation {
    condition     = length(var.api_tokens) > 0 && alltrue([for token in var.api_tokens : can(regex("^[A-Za-z0-9._~+/=-]{16,}$", token))])
    error_message = "At least one token, and each of 16 or more characters: `openssl rand -hex 24` makes one."
  }
}

variable "smtp" {
  description = "The mail server (docs/EMAIL.md). Without a user name there is no login."
  type = object({
    host           = string
    port           = number
    from           = string
    username       = string
    max_per_second = number
  })

  validation {
    condition     = can(regex("@", var.smtp.from)) && var.smtp.port >= 1 && var.smtp.port <= 65535 && var.smtp.max_per_second >= 0
    error_message = "A host, a port, an address for `from`, a user name or \"\", and the e-mails a second of one process; 0 is no limit."
  }
}

variable "smtp_password" {
  description = "Password of that user. Give it as TF_VAR_smtp_password; the state holds it."
  type        = string
  sensitive   = true
  default     = ""
}

variable "rows_per_message" {
  description = "Rows per message: 10 nearly halves the calls of an import."
  type        = number
  default     = 10

  validation {
    condition     = var.rows_per_message >= 1 && var.rows_per_message <= 100
    error_message = "1 to 100."
  }
}

variable "most_workers" {
  description = "Most tasks of each worker; there is one of each at least."
  type        = number
  default     = 4

  validation {
    condition     = var.most_workers >= 1 && var.most_workers <= 100
    error_message = "1 to 100."
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
