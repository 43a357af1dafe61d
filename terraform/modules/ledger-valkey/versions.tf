terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first that knows the durability of Valkey 9
      version = ">= 6.60"
    }
  }
}
