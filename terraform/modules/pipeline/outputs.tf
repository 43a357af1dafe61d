output "environment" {
  description = "The variables of each service that name queue and topic (docs/SETTINGS.md)."
  value = {
    importer-api = {
      SQS_QUEUE_URL = aws_sqs_queue.work["data-process"].id
    }
    billing-worker = {
      SQS_QUEUE_URL = aws_sqs_queue.work["data-process"].id
      SNS_TOPIC_ARN = aws_sns_topic.this.arn
    }
    send-mail-worker = {
      SQS_QUEUE_URL = aws_sqs_queue.work["process-email"].id
    }
  }
}

output "queue_arns" {
  description = "ARNs of the work queues by the name of the contract."
  value       = { for name, queue in aws_sqs_queue.work : name => queue.arn }
}

output "queue_names" {
  description = "Names of the work queues by the name of the contract."
  value       = { for name, queue in aws_sqs_queue.work : name => queue.name }
}

output "dead_letter_arns" {
  description = "ARNs of the dead letters by the name of their work queue."
  value       = { for name, queue in aws_sqs_queue.dead_letters : name => queue.arn }
}

output "topic_arn" {
  description = "ARN of the topic of the bills."
  value       = aws_sns_topic.this.arn
}
