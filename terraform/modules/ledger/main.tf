# PostgreSQL with a synchronous copy in another zone: no answered write is lost with a zone
locals {
  user = "billing"
  # The one that is there without a name: providers before 4 and after 5 name it differently
  database = "postgres"
  major    = split(".", var.engine_version)[0]
}

resource "aws_security_group" "this" {
  name        = "${var.name}-ledger"
  description = "The ledger of the billing suite"
  vpc_id      = var.vpc_id
}

resource "aws_security_group_rule" "services" {
  security_group_id        = aws_security_group.this.id
  description              = "The services"
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 5432
  to_port                  = 5432
  source_security_group_id = var.client_security_group_id
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-ledger"
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-ledger-${local.major}"
  family      = "postgres${local.major}"
  description = "The ledger of the billing suite"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Megabytes; less makes checkpoints in the middle of an import
  parameter {
    name  = "max_wal_size"
    value = "4096"
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:the ledger's time is in the metrics of the services; enhanced monitoring is a further role
  #checkov:skip=CKV_AWS_161:the services sign in by password, over TLS alone
  #checkov:skip=CKV_AWS_354:its data has the key of the instance
  #checkov:skip=CKV2_AWS_30:a log of statements would hold personal data
  identifier = "${var.name}-ledger"

  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class
  multi_az       = true

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.most_storage_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  username = local.user
  password = var.password
  port     = 5432

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false

  backup_retention_period         = var.backup_days
  copy_tags_to_snapshot           = true
  delete_automated_backups        = false
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = !var.deletion_protection
  final_snapshot_identifier       = var.deletion_protection ? "${var.name}-ledger-last" : null
  enabled_cloudwatch_logs_exports = ["postgresql"]
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  auto_minor_version_upgrade      = true
  apply_immediately               = false

  # Changed by hand, and minor versions by RDS
  lifecycle {
    ignore_changes = [password, engine_version]
  }
}

resource "aws_cloudwatch_metric_alarm" "storage" {
  alarm_name          = "${var.name}-ledger-storage-low"
  alarm_description   = "The disk of the ledger has less than 10 GB left, and may not grow any more."
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.id }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 10 * 1024 * 1024 * 1024
  comparison_operator = "LessThanThreshold"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
