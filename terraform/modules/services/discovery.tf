# Prometheus in the VPC finds each task by the name of its service: `billing-worker.NAME.internal`
resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "${var.name}.internal"
  description = "The tasks of the billing suite"
  vpc         = var.vpc_id
}

resource "aws_service_discovery_service" "this" {
  for_each = local.ports

  name = each.key

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}
