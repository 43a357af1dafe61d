output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "task_definition_arns" {
  description = "The task definition of each program; that of the operator is for `aws ecs run-task`."
  value       = { for program, definition in aws_ecs_task_definition.this : program => definition.arn }
}
