locals {
  environment = {
    for service in ["importer-api", "billing-worker", "send-mail-worker"] : service => merge(
      { AWS_REGION = var.region },
      module.pipeline.environment[service],
      lookup(module.storage.environment, service, {}),
    )
  }
}

output "environment" {
  description = "The variables of each service that say where things are, by the names of docs/SETTINGS.md."
  value       = local.environment
}

output "policies" {
  description = "What each program may do."
  value       = module.access.policies
}
