resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:a topic keeps nothing but failed deliveries, and a KMS key is a variable
  name              = "${var.prefix}data-process-topic"
  kms_master_key_id = var.kms_key_arn
}

# Raw: the attributes of the row arrive. What SNS gives up goes to the dead letters as well.
resource "aws_sns_topic_subscription" "this" {
  for_each = local.subscribers

  topic_arn            = aws_sns_topic.this.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.work[each.key].arn
  raw_message_delivery = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
  })

  # Before the policies are there SNS could neither deliver nor give up
  depends_on = [aws_sqs_queue_policy.this]
}
