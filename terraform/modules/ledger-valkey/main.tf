# Valkey 9 in cluster mode, with a log that is written before an answer is given (`sync`). Looked at by the
# types of the provider alone: neither the provider of the check nor the emulator knows it.
locals {
  user = "billing-suite"
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
  from_port                = 6379
  to_port                  = 6379
  source_security_group_id = var.client_security_group_id
}

resource "aws_elasticache_subnet_group" "this" {
  name       = "${var.name}-ledger"
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-ledger-9"
  family      = "valkey9"
  description = "The ledger of the billing suite"

  parameter {
    name  = "cluster-enabled"
    value = "yes"
  }

  # A forgotten debt would be billed again
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

# The rights are those of docs/SETTINGS.md
resource "aws_elasticache_user" "services" {
  user_id   = "${var.name}-services"
  user_name = local.user
  engine    = "valkey"
  access_string = join(" ", [
    "on resetchannels",
    "~processed:* ~notification:* ~mail:* ~mail-lease:* ~mail-unknown:* ~channel:*",
    "~import:* ~imports ~imports:* ~idempotency:* ~sequence:* ~agreement:* ~ledger:closed ~ready ~ready:*",
    "+bitcount +bitfield +del +evalsha +exists +expire +expireat +get +getbit +getrange",
    "+hdel +hexists +hget +hgetall +hlen +hset +hsetnx +incrby +info +mget +mset +msetnx +multi +exec",
    "+pexpire +ping +psetex +pttl +sadd +scard +script|load +select +set +setbit +setrange",
    "+sismember +smembers +srem +time +zadd +zcard +zcount +zmscore +zrange +zrem +zremrangebyscore",
    "+asking +cluster|slots",
  ])

  authentication_mode {
    type      = "password"
    passwords = [var.password]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = "${var.name}-ledger"
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.services.user_id]
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:users of their own sign in, in place of one token
  #checkov:skip=CKV_AWS_191:a KMS key is a variable
  replication_group_id = "${var.name}-ledger"
  description          = "The ledger of the billing suite"

  engine         = "valkey"
  engine_version = "9.0"
  durability     = "sync"

  node_type               = var.node_type
  cluster_mode            = "enabled"
  num_node_groups         = var.shards
  replicas_per_node_group = 1

  multi_az_enabled           = true
  automatic_failover_enabled = true

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn

  port                 = 6379
  subnet_group_name    = aws_elasticache_subnet_group.this.name
  security_group_ids   = [aws_security_group.this.id]
  parameter_group_name = aws_elasticache_parameter_group.this.name
  user_group_ids       = [aws_elasticache_user_group.this.user_group_id]

  snapshot_retention_limit  = var.snapshot_days
  final_snapshot_identifier = "${var.name}-ledger-last"
}
