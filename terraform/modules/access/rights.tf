# What each program calls, and nothing else: `make test/terraform` compares these lists with the calls
# of a full run, both ways. A batch call needs the right of the single call.
locals {
  data_process  = var.queue_arns["data-process"]
  process_email = var.queue_arns["process-email"]

  # To receive, settle, and look at the depth
  consume = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
  # For the gauges of the dead letters alone
  look = ["sqs:ReceiveMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]

  rights = {
    importer-api = [
      { actions = ["sqs:SendMessage", "sqs:GetQueueAttributes"], resources = [local.data_process] },
      {
        # PutObject is for the parts of an upload and their end as well
        actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        resources = ["${var.bucket_arn}/${var.bucket_prefix}/*"]
      },
      # Without it, or with a condition on the prefix, an object that is not there is a 403 and not a
      # 404, and importer-api takes that for an outage
      { actions = ["s3:ListBucket"], resources = [var.bucket_arn] },
    ]
    billing-worker = [
      { actions = local.consume, resources = [local.data_process] },
      { actions = local.look, resources = [var.dead_letter_arns["data-process"]] },
      { actions = ["sns:Publish", "sns:GetTopicAttributes"], resources = [var.topic_arn] },
    ]
    send-mail-worker = [
      # It sends e-mails that the mail server put off to its own queue
      { actions = concat(local.consume, ["sqs:SendMessage"]), resources = [local.process_email] },
      { actions = local.look, resources = [var.dead_letter_arns["process-email"]] },
    ]
    # `operator redrive`; the other commands need the ledger alone
    operator = [
      {
        actions   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage"]
        resources = values(var.queue_arns)
      },
      {
        actions   = concat(local.look, ["sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])
        resources = values(var.dead_letter_arns)
      },
    ]
  }
}
