# The way out of the private subnets: to SQS, SNS, ECR and the mail server; S3 has an endpoint of its own. A
# module by itself, as the provider of the check crashes on the gateways of the emulator: it plans them only.
locals {
  zones = sort(keys(var.public_subnets))
  # By the zones alone: what the gateways are is known before they are made
  gateways = toset(var.single ? [local.zones[0]] : local.zones)
}

resource "aws_eip" "this" {
  #checkov:skip=CKV2_AWS_19:they are those of the gateways
  for_each = local.gateways
}

resource "aws_nat_gateway" "this" {
  for_each = local.gateways

  allocation_id = aws_eip.this[each.key].id
  subnet_id     = var.public_subnets[each.key]
}

resource "aws_route" "this" {
  for_each = var.private_route_tables

  route_table_id         = each.value
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.single ? local.zones[0] : each.key].id
}
