# Secrets that Terraform is given once. Later ones are put by hand, and stay.
locals {
  given = merge(
    { API_TOKENS = join(",", var.api_tokens) },
    { for name in ["SMTP_PASSWORD"] : name => var.smtp_password if var.smtp.username != "" },
  )
}

resource "aws_secretsmanager_secret" "given" {
  #checkov:skip=CKV2_AWS_57:each is shared with somebody outside, who has to be told of a new one
  #checkov:skip=CKV_AWS_149:AWS's own key; yours is an argument away
  for_each = nonsensitive(toset(keys(local.given)))

  name                    = "${var.name}/${lower(replace(each.key, "_", "-"))}"
  description             = "${each.key} of the billing suite"
  recovery_window_in_days = var.keep_data ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "given" {
  for_each = aws_secretsmanager_secret.given

  secret_id     = each.value.id
  secret_string = local.given[each.key]

  lifecycle {
    ignore_changes = [secret_string]
  }
}
