terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      suite       = "billing"
      environment = var.name
    }
  }
}
