#!/bin/sh
# Creates the queues, their dead-letter queues, the topic and the subscription.
# LocalStack and MiniStack run it once they are ready. It can be run again: what exists stays.
set -eu

REGION="${AWS_DEFAULT_REGION:-us-east-1}"
RETENTION=1209600 # 14 days

# AWS=aws is for an account. MiniStack has no awslocal, and says where it is.
cloud() {
  if [ -n "${AWS:-}" ]; then
    "$AWS" --region "$REGION" "$@"
  elif command -v awslocal >/dev/null; then
    awslocal --region "$REGION" "$@"
  else
    aws --endpoint-url "$AWS_ENDPOINT_URL" --region "$REGION" "$@"
  fi
}

create_queue() { # name, further attributes as JSON members
  cloud sqs create-queue --queue-name "$1" --attributes "{
    \"VisibilityTimeout\": \"30\",
    \"ReceiveMessageWaitTimeSeconds\": \"20\",
    \"MessageRetentionPeriod\": \"$RETENTION\"${2:+, $2}
  }" --query QueueUrl --output text
}

queue_arn() { # url
  cloud sqs get-queue-attributes --queue-url "$1" \
    --attribute-names QueueArn --query Attributes.QueueArn --output text
}

# A queue and its dead letters: a message goes there after five receives.
create_with_dead_letters() { # name
  local dead_letters policy
  dead_letters="$(queue_arn "$(create_queue "$1-dlq")")"
  policy="{\\\"deadLetterTargetArn\\\":\\\"$dead_letters\\\",\\\"maxReceiveCount\\\":\\\"5\\\"}"
  create_queue "$1" "\"RedrivePolicy\": \"$policy\""
}

# A queue with dead letters that gets what is published. Deliveries that SNS
# gives up go to the dead letters as well.
subscribe() { # name
  local queue dead_letters
  queue="$(create_with_dead_letters "$1")"
  dead_letters="$(queue_arn "${queue}-dlq")"
  cloud sns subscribe --topic-arn "$topic" --protocol sqs \
    --notification-endpoint "$(queue_arn "$queue")" \
    --attributes "{
      \"RawMessageDelivery\": \"true\",
      \"RedrivePolicy\": \"{\\\"deadLetterTargetArn\\\":\\\"$dead_letters\\\"}\"
    }"
}

create_with_dead_letters data-process
topic="$(cloud sns create-topic --name data-process-topic \
  --query TopicArn --output text)"
subscribe process-email
