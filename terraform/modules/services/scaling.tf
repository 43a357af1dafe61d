# By the age of the oldest message that can be received, not by CPU: a worker that waits for the queue is
# idle. What a mail server put off is no backlog, and counts as none.
resource "aws_appautoscaling_target" "this" {
  for_each = var.workers

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.worker[each.key].name}"
  min_capacity       = each.value.least
  max_capacity       = each.value.most
}

resource "aws_appautoscaling_policy" "out" {
  for_each = var.workers

  name               = "${each.key}-out"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 60

    # Above the threshold of the alarm, in seconds
    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = 240
      scaling_adjustment          = 1
    }

    step_adjustment {
      metric_interval_lower_bound = 240
      scaling_adjustment          = 3
    }
  }
}

resource "aws_appautoscaling_policy" "in" {
  for_each = var.workers

  name               = "${each.key}-in"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 300

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -1
    }
  }
}

locals {
  scaling_alarms = merge(
    { for name, worker in var.workers : "${name}-out" => {
      queue = worker.queue, comparison = "GreaterThanThreshold", threshold = 60, minutes = 1, policy = aws_appautoscaling_policy.out[name].arn
    } },
    { for name, worker in var.workers : "${name}-in" => {
      queue = worker.queue, comparison = "LessThanThreshold", threshold = 10, minutes = 10, policy = aws_appautoscaling_policy.in[name].arn
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "scaling" {
  for_each = local.scaling_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "Scales the workers; nobody has to look"
  evaluation_periods  = each.value.minutes
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = "ignore"
  alarm_actions       = [each.value.policy]

  metric_query {
    id          = "waiting"
    expression  = "IF(visible > 0, age, 0)"
    label       = "Age of the oldest message that can be received"
    return_data = true
  }

  metric_query {
    id = "age"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = each.value.queue }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "visible"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = each.value.queue }
      stat        = "Maximum"
      period      = 60
    }
  }
}
