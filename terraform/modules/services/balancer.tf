locals {
  # What the balancer forwards: /health, /ready and /metrics are for the inside
  page  = var.page ? [["/", "/page/*", "/sample.csv"], ["/docs*", "/openapi.json"]] : []
  paths = concat([["/v1/*"]], local.page)
}

resource "aws_lb" "this" {
  #checkov:skip=CKV_AWS_91:importer-api logs its requests; a log of accesses is a further bucket
  #checkov:skip=CKV2_AWS_28:a firewall is the account's choice; importer-api has tokens and limits
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.internal ? var.private_subnet_ids : var.public_subnet_ids
  security_groups            = [var.balancer_security_group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # The events of an import are silent for up to 30 s
  idle_timeout = 120
}

resource "aws_lb_target_group" "importer" {
  #checkov:skip=CKV_AWS_378:TLS ends at the balancer, and the VPC is the suite's own
  name        = "${var.name}-importer-api"
  vpc_id      = var.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.ports["importer-api"]
  # An upload in hand may take its time; a task that stops waits 9 s for it at most
  deregistration_delay = 30

  # Not /ready: ECS replaces what is not healthy, and no new task brings a ledger back
  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "forwarded" {
  for_each = { for index, paths in local.paths : index + 1 => paths }

  listener_arn = aws_lb_listener.https.arn
  priority     = each.key

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.importer.arn
  }

  condition {
    path_pattern {
      values = each.value
    }
  }
}
