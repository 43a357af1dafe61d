resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:a KMS key is a variable
  #checkov:skip=CKV_AWS_338:a year is the default of the variable
  for_each = local.programs

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  #checkov:skip=CKV_AWS_336:each container has a read-only root; checkov reads no expressions
  for_each = local.programs

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.sizes[each.key].cpu
  memory                   = var.sizes[each.key].memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = var.role_arns[each.key]

  container_definitions = jsonencode(concat(
    [local.runners[each.key]],
    [for writer in [local.writers[each.key]] : writer if length(var.files) > 0],
  ))

  dynamic "volume" {
    for_each = length(var.files) == 0 ? [] : ["files"]

    content {
      name = volume.value
    }
  }
}
