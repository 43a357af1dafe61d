locals {
  ports = { importer-api = 8000, billing-worker = 8001, send-mail-worker = 8002 }
}

# The provider of the check crashes on a service in the emulator: this module is planned there, not applied
resource "aws_ecs_service" "importer" {
  name            = "importer-api"
  cluster         = var.cluster_arn
  task_definition = var.task_definition_arns["importer-api"]
  desired_count   = var.importers
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  # New tasks run before old ones stop: versions may run side by side
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.private_subnet_ids
    security_groups = [var.services_security_group_id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.importer.arn
    container_name   = "importer-api"
    container_port   = local.ports["importer-api"]
  }

  service_registries {
    registry_arn = aws_service_discovery_service.this["importer-api"].arn
  }

  # A target group that no listener has cannot be a service's
  depends_on = [aws_lb_listener_rule.forwarded]
}

resource "aws_ecs_service" "worker" {
  for_each = var.workers

  name            = each.key
  cluster         = var.cluster_arn
  task_definition = var.task_definition_arns[each.key]
  desired_count   = each.value.least
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.private_subnet_ids
    security_groups = [var.services_security_group_id]
  }

  service_registries {
    registry_arn = aws_service_discovery_service.this[each.key].arn
  }

  # Scaling has the last word on how many there are
  lifecycle {
    ignore_changes = [desired_count]
  }
}
