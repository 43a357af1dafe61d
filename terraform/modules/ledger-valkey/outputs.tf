output "secret_arns" {
  description = "Secrets by the variable that holds them (docs/SETTINGS.md)."
  value       = { LEDGER_URL = aws_secretsmanager_secret.url.arn }
}

output "security_group_id" {
  description = "The security group of the ledger."
  value       = aws_security_group.this.id
}
