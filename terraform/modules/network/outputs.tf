output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets of the balancer, one a zone."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets of services and ledger, one a zone."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_subnets" {
  description = "The subnet of the balancer by zone, for NAT gateways."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "private_route_tables" {
  description = "The route table of services and ledger by zone."
  value       = { for zone, table in aws_route_table.private : zone => table.id }
}

output "balancer_security_group_id" {
  description = "The security group of the balancer."
  value       = aws_security_group.balancer.id
}

output "services_security_group_id" {
  description = "The security group of the services."
  value       = aws_security_group.services.id
}
