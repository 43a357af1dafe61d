output "environment" {
  description = "The variables of importer-api that say where the files are (docs/SETTINGS.md)."
  value = {
    importer-api = {
      SPOOL_URL = "s3://${aws_s3_bucket.this.id}/${var.prefix}"
    }
  }
}

output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "prefix" {
  description = "Prefix of the files in the bucket."
  value       = var.prefix
}
