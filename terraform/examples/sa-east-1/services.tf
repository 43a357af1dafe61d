# A file of its own: the provider of the check crashes on these in the emulator, and plans them only
module "nat" {
  source = "../../modules/nat"

  public_subnets       = module.network.public_subnets
  private_route_tables = module.network.private_route_tables
  single               = var.single_nat_gateway
}

module "services" {
  source = "../../modules/services"

  # Without a way out no task gets its image
  depends_on = [module.nat]

  name                       = var.name
  vpc_id                     = module.network.vpc_id
  public_subnet_ids          = module.network.public_subnet_ids
  private_subnet_ids         = module.network.private_subnet_ids
  balancer_security_group_id = module.network.balancer_security_group_id
  services_security_group_id = module.network.services_security_group_id
  cluster_arn                = module.tasks.cluster_arn
  cluster_name               = module.tasks.cluster_name
  task_definition_arns       = module.tasks.task_definition_arns
  certificate_arn            = var.certificate_arn
  deletion_protection        = var.keep_data

  workers = {
    billing-worker   = { queue = module.pipeline.queue_names["data-process"], least = 1, most = var.most_workers }
    send-mail-worker = { queue = module.pipeline.queue_names["process-email"], least = 1, most = var.most_workers }
  }
}

output "balancer_dns_name" {
  description = "Where the name of `host` has to lead."
  value       = module.services.balancer_dns_name
}

output "public_ips" {
  description = "The addresses from which the mail server sees send-mail-worker."
  value       = module.nat.public_ips
}

output "scraped_names" {
  description = "The names by which Prometheus in the VPC finds the tasks, for `dns_sd_configs`."
  value       = module.services.scraped_names
}
