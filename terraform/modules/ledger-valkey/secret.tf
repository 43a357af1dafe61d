resource "aws_secretsmanager_secret" "url" {
  #checkov:skip=CKV2_AWS_57:a rotation changes the user of Valkey as well; the services read the URL at their start
  #checkov:skip=CKV_AWS_149:a KMS key is a variable
  name        = "${var.name}/ledger-url"
  description = "LEDGER_URL of the billing suite"
  kms_key_id  = var.kms_key_arn
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id = aws_secretsmanager_secret.url.id
  secret_string = format(
    "rediss-cluster://%s:%s@%s:6379",
    local.user, var.password, aws_elasticache_replication_group.this.configuration_endpoint_address,
  )
}
