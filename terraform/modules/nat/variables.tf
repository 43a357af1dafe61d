variable "public_subnets" {
  description = "The subnet for a gateway by zone: `public_subnets` of the module network."
  type        = map(string)

  validation {
    condition     = length(var.public_subnets) >= 1
    error_message = "It takes at least one zone."
  }
}

variable "private_route_tables" {
  description = "The route table that leaves by it, by zone: `private_route_tables` of the module network."
  type        = map(string)
}

variable "single" {
  description = "Whether all zones leave by one gateway: cheaper, and without its zone no service reaches SQS."
  type        = bool
  default     = false
}
