# What keeps the data and decides who may do what. services.tf runs the services on it.

module "network" {
  source = "../../modules/network"

  name      = var.name
  zones     = var.zones
  smtp_port = var.smtp.port
}

module "pipeline" {
  source = "../../modules/pipeline"

  prefix        = var.queue_prefix
  alarm_actions = var.alarm_actions
}

module "storage" {
  source = "../../modules/storage"

  bucket        = var.bucket
  force_destroy = !var.keep_data
}

module "access" {
  source = "../../modules/access"

  name             = var.name
  queue_arns       = module.pipeline.queue_arns
  dead_letter_arns = module.pipeline.dead_letter_arns
  topic_arn        = module.pipeline.topic_arn
  bucket_arn       = module.storage.bucket_arn
  bucket_prefix    = module.storage.prefix
}

# Or `ledger-valkey`, which has the same outputs: see docs/DEPLOY.md#the-ledger before the first debt is billed
module "ledger" {
  source = "../../modules/ledger"

  name                     = var.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = module.network.services_security_group_id
  instance_class           = var.ledger_class
  password                 = var.ledger_password
  ca_file                  = "/etc/billing/rds.pem"
  deletion_protection      = var.keep_data
  alarm_actions            = var.alarm_actions
}

module "images" {
  source = "../../modules/images"

  name = var.name
}

module "tasks" {
  source = "../../modules/tasks"

  name            = var.name
  region          = var.region
  images          = { for service, url in module.images.repository_urls : service => "${url}:${var.image_tag}" }
  repository_arns = module.images.repository_arns
  role_arns       = module.access.role_arns
  environment     = merge(local.environment, { operator = { AWS_REGION = var.region } })
  secrets         = local.secrets
  files = merge(
    { "rds.pem" = file(var.rds_certificates) },
    var.issuer_file == null ? {} : { "issuer.toml" = file(var.issuer_file) },
  )
}
