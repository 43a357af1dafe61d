terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first with a resource for each setting of a bucket
      version = ">= 4.0"
    }
  }
}
