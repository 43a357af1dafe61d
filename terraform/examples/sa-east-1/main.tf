# What keeps the data and decides who may do what. services.tf runs the services on it.

module "pipeline" {
  source = "../../modules/pipeline"

  prefix        = var.queue_prefix
  alarm_actions = var.alarm_actions
}

module "storage" {
  source = "../../modules/storage"

  bucket = var.bucket
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
