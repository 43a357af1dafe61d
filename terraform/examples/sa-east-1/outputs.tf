output "environment" {
  description = "The variables of each service, by the names of docs/SETTINGS.md."
  value       = local.environment
}

output "secrets" {
  description = "The variables of each program that are secret, as the ARNs of their secrets."
  value       = local.secrets
}

output "policies" {
  description = "What each program may do."
  value       = module.access.policies
}

output "repository_urls" {
  description = "Where the images are pushed to."
  value       = module.images.repository_urls
}

output "operator" {
  description = "What `aws ecs run-task` needs for a command of the operator (docs/DEPLOY.md)."
  value = {
    cluster         = module.tasks.cluster_name
    task_definition = module.tasks.task_definition_arns["operator"]
    subnets         = module.network.private_subnet_ids
    security_group  = module.network.services_security_group_id
  }
}
