locals {
  tasks = merge(
    { importer-api = { count = var.importers, port = 8000 } },
    { for name, worker in var.workers : name => { count = worker.least, port = name == "billing-worker" ? 8001 : 8002 } },
  )
}

# The provider of the check crashes on a service in the emulator: this module is planned there, not applied
resource "aws_ecs_service" "this" {
  for_each = local.tasks

  name            = each.key
  cluster         = var.cluster_arn
  task_definition = var.task_definition_arns[each.key]
  desired_count   = each.value.count
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

  service_registries {
    registry_arn = aws_service_discovery_service.this[each.key].arn
  }

  dynamic "load_balancer" {
    for_each = each.key == "importer-api" ? [aws_lb_target_group.importer.arn] : []

    content {
      target_group_arn = load_balancer.value
      container_name   = each.key
      container_port   = each.value.port
    }
  }

  # Scaling has the last word on how many there are
  lifecycle {
    ignore_changes = [desired_count]
  }

  # A target group that no listener has cannot be a service's
  depends_on = [aws_lb_listener_rule.forwarded]
}
