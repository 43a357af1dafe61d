locals {
  all_queues = merge(
    { for name, queue in aws_sqs_queue.work : name => { queue = queue, from_topic = contains(local.subscribers, name) } },
    { for name, queue in aws_sqs_queue.dead_letters : "${name}-dlq" => { queue = queue, from_topic = contains(local.subscribers, name) } },
  )
}

# The rights of the services are in their roles. Here is what a role cannot say: that the topic may
# send, its failed deliveries included, and that nobody may speak without TLS.
data "aws_iam_policy_document" "queue" {
  for_each = local.all_queues

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value.queue.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.value.from_topic ? [aws_sns_topic.this.arn] : []

    content {
      sid       = "FromTopic"
      actions   = ["sqs:SendMessage"]
      resources = [each.value.queue.arn]

      principals {
        type        = "Service"
        identifiers = ["sns.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.all_queues

  queue_url = each.value.queue.id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}
