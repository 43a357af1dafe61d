resource "aws_secretsmanager_secret" "url" {
  #checkov:skip=CKV2_AWS_57:a rotation changes the user of the database as well; the services read the URL at their start
  #checkov:skip=CKV_AWS_149:a KMS key is a variable
  name        = "${var.name}/ledger-url"
  description = "LEDGER_URL of the billing suite"
  kms_key_id  = var.kms_key_arn
  # A ledger that is made anew has the same name
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id = aws_secretsmanager_secret.url.id
  secret_string = format(
    "postgres://%s:%s@%s:5432/%s?sslmode=verify-full&sslrootcert=%s",
    local.user, var.password, aws_db_instance.this.address, local.database, var.ca_file,
  )

  # A password that was changed by hand stays
  lifecycle {
    ignore_changes = [secret_string]
  }
}
