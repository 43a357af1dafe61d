locals {
  subscribers = setunion(["process-email"], var.further_subscribers)
  work_queues = setunion(["data-process"], local.subscribers)

  # A dead letter keeps the age of its message, so it has as long
  retention_seconds = 14 * 24 * 60 * 60
}

# Without `kms_key_arn` they are encrypted as well: SSE-SQS is what AWS gives to a new queue
resource "aws_sqs_queue" "dead_letters" {
  #checkov:skip=CKV_AWS_27:SSE-SQS is the default of AWS, and a KMS key a variable
  for_each = local.work_queues

  name                       = "${var.prefix}${each.key}-dlq"
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 20
  message_retention_seconds  = local.retention_seconds
  kms_master_key_id          = var.kms_key_arn
}

resource "aws_sqs_queue" "work" {
  #checkov:skip=CKV_AWS_27:SSE-SQS is the default of AWS, and a KMS key a variable
  for_each = local.work_queues

  name = "${var.prefix}${each.key}"
  # The workers ask for their own; it matters to others alone
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 20
  message_retention_seconds  = local.retention_seconds
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = var.max_receive_count
  })
}
