output "role_arns" {
  description = "ARNs of the roles by program: importer-api, billing-worker, send-mail-worker, operator."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "policies" {
  description = "What each program may do, as the JSON of its policy."
  value       = { for name, policy in aws_iam_role_policy.this : name => policy.policy }
}
