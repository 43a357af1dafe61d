output "balancer_dns_name" {
  description = "Where the name of importer-api has to lead: a CNAME or an alias."
  value       = aws_lb.this.dns_name
}

output "balancer_zone_id" {
  description = "The zone of the balancer, for an alias of Route 53."
  value       = aws_lb.this.zone_id
}

output "scraped_names" {
  description = "The names by which Prometheus in the VPC finds the tasks, for `dns_sd_configs`."
  value       = { for name in keys(local.ports) : name => "${name}.${aws_service_discovery_private_dns_namespace.this.name}" }
}
