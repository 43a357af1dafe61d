resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = aws_sqs_queue.dead_letters

  alarm_name          = "${each.value.name}-not-empty"
  alarm_description   = "Messages that failed ${var.max_receive_count} times: `operator redrive` shows them and moves them back."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# Of messages that can be received: one that a mail server put off waits for its time, and is not late
resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each = aws_sqs_queue.work

  alarm_name          = "${each.value.name}-waits"
  alarm_description   = "Messages wait for longer than ${var.oldest_message_alarm_seconds} s: a worker stands still, or there are too few."
  evaluation_periods  = 3
  threshold           = var.oldest_message_alarm_seconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

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
      dimensions  = { QueueName = each.value.name }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "visible"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = each.value.name }
      stat        = "Maximum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "failed_deliveries" {
  alarm_name          = "${aws_sns_topic.this.name}-fails"
  alarm_description   = "SNS could not deliver bills to a queue: look at its policy. They are in the dead letters of the queue."
  namespace           = "AWS/SNS"
  metric_name         = "NumberOfNotificationsFailed"
  dimensions          = { TopicName = aws_sns_topic.this.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
