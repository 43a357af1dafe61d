variable "name" {
  description = "What the names begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "A name has up to 20 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr, 8, 255))
    error_message = "It takes a network of IPv4 of /24 or wider, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, such as [\"sa-east-1a\", \"sa-east-1c\"]: two or more, of the region of the provider."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) >= 2 && length(var.zones) <= 6
    error_message = "It takes two to six zones, each once."
  }
}

variable "smtp_port" {
  description = "Port of the mail server."
  type        = number
  default     = 587

  validation {
    condition     = var.smtp_port >= 1 && var.smtp_port <= 65535
    error_message = "A port is from 1 to 65535."
  }
}
