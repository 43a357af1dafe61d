# Groups without rules of their own: each rule below is one way that something has to go
resource "aws_security_group" "balancer" {
  #checkov:skip=CKV2_AWS_5:the module services puts the balancer into it
  name        = "${var.name}-balancer"
  description = "The balancer in front of importer-api"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "services" {
  #checkov:skip=CKV2_AWS_5:the module services puts the tasks into it
  name        = "${var.name}-services"
  description = "The services of the billing suite"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group_rule" "clients" {
  #checkov:skip=CKV_AWS_260:port 80 redirects to TLS
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.balancer.id
  description       = "Clients of importer-api"
  type              = "ingress"
  protocol          = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_security_group_rule" "balancer_to_services" {
  security_group_id        = aws_security_group.balancer.id
  description              = "To importer-api"
  type                     = "egress"
  protocol                 = "tcp"
  from_port                = 8000
  to_port                  = 8000
  source_security_group_id = aws_security_group.services.id
}

resource "aws_security_group_rule" "services_from_balancer" {
  security_group_id        = aws_security_group.services.id
  description              = "importer-api by the balancer"
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 8000
  to_port                  = 8000
  source_security_group_id = aws_security_group.balancer.id
}

resource "aws_security_group_rule" "scrapes" {
  security_group_id = aws_security_group.services.id
  description       = "Prometheus in the VPC"
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 8000
  to_port           = 8002
  cidr_blocks       = [var.cidr]
}

resource "aws_security_group_rule" "services_out" {
  for_each = { aws = 443, mail = var.smtp_port }

  security_group_id = aws_security_group.services.id
  description       = each.key == "aws" ? "SQS, SNS, S3, ECR, logs, secrets" : "The mail server"
  type              = "egress"
  protocol          = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_security_group_rule" "services_to_ledger" {
  for_each = { postgres = 5432, redis = 6379 }

  security_group_id = aws_security_group.services.id
  description       = "The ledger"
  type              = "egress"
  protocol          = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_blocks       = [var.cidr]
}
