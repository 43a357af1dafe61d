# The variables of the services (docs/SETTINGS.md): where things are comes from the modules, the rest is here
locals {
  issuer = var.issuer_file == null ? {} : { ISSUER_FILE = "/etc/billing/issuer.toml" }

  settings = {
    importer-api = merge(local.issuer, {
      ALLOWED_HOSTS    = var.host
      ROWS_PER_MESSAGE = tostring(var.rows_per_message)
    })
    billing-worker = local.issuer
    send-mail-worker = merge(
      {
        MAIL_TRANSPORT      = "smtp"
        SMTP_HOST           = var.smtp.host
        SMTP_PORT           = tostring(var.smtp.port)
        SMTP_TLS            = var.smtp.port == 465 ? "tls" : "starttls"
        MAIL_FROM           = var.smtp.from
        MAIL_MAX_PER_SECOND = tostring(var.smtp.max_per_second)
      },
      var.smtp.username == "" ? {} : { SMTP_USERNAME = var.smtp.username },
    )
  }

  environment = {
    for service, settings in local.settings : service => merge(
      { AWS_REGION = var.region },
      settings,
      module.pipeline.environment[service],
      lookup(module.storage.environment, service, {}),
    )
  }

  secrets = {
    importer-api   = merge(module.ledger.secret_arns, { API_TOKENS = aws_secretsmanager_secret.given["API_TOKENS"].arn })
    billing-worker = module.ledger.secret_arns
    send-mail-worker = merge(
      module.ledger.secret_arns,
      { for name in ["SMTP_PASSWORD"] : name => aws_secretsmanager_secret.given[name].arn if var.smtp.username != "" },
    )
    operator = module.ledger.secret_arns
  }
}
