#!/usr/bin/env bash
# Tests the suite against LocalStack, the second opinion on what SQS, SNS and S3 do: starts the program
# of PyPI on a free port, runs localstack/ready.d twice, then the tests that use queues, topic and bucket.
# Arguments are names of tests. `make test/localstack` installs what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

folder="$PWD/target/localstack"
export PATH="$folder/venv/bin:$PATH"

port="$(python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')"
endpoint="http://127.0.0.1:$port"
rm -rf "$folder/files"
FILESYSTEM_ROOT="$folder/files" GATEWAY_LISTEN="127.0.0.1:$port" SERVICES=sqs,sns,s3 \
    SKIP_SSL_CERT_DOWNLOAD=1 DISABLE_EVENTS=1 \
    python -m localstack.runtime.main >"$folder/localstack.log" 2>&1 &
localstack=$!
# It keeps nothing, and takes long over an orderly end
trap 'kill -9 "$localstack" 2>/dev/null || true; wait "$localstack" 2>/dev/null || true' EXIT

for _ in $(seq 120); do
    if curl --silent --fail --output /dev/null "$endpoint/_localstack/health"; then
        break
    fi
    if ! kill -0 "$localstack" 2>/dev/null; then
        tail -n 20 "$folder/localstack.log" >&2
        echo "LocalStack ended; its log is in $folder/localstack.log" >&2
        exit 1
    fi
    sleep 1
done
echo "LocalStack $(python -c 'import importlib.metadata as m; print(m.version("localstack-core"))') at $endpoint"

# What the scripts made: queues, subscriptions and buckets, with their settings.
pipeline() {
    local url arn bucket
    for url in $(awslocal sqs list-queues --query 'QueueUrls[]' --output text); do
        awslocal sqs get-queue-attributes --queue-url "$url" \
            --attribute-names QueueArn VisibilityTimeout ReceiveMessageWaitTimeSeconds \
            MessageRetentionPeriod RedrivePolicy --query Attributes
    done
    for arn in $(awslocal sns list-subscriptions --query 'Subscriptions[].SubscriptionArn' --output text); do
        awslocal sns get-subscription-attributes --subscription-arn "$arn" --query Attributes
    done
    for bucket in $(awslocal s3api list-buckets --query 'Buckets[].Name' --output text); do
        echo "bucket $bucket"
        awslocal s3api get-bucket-lifecycle-configuration --bucket "$bucket"
    done
}

make_pipeline() {
    localstack/ready.d/10-pipeline.sh
    localstack/ready.d/20-bucket.sh
}

export AWS_ENDPOINT_URL="$endpoint" AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
make_pipeline
once="$(pipeline)"
make_pipeline
if [ "$once" != "$(pipeline)" ] || [ "$(grep -c '"QueueArn"' <<<"$once")" != 4 ] \
    || [ "$(grep -c '"RawMessageDelivery": "true"' <<<"$once")" != 1 ] \
    || [ "$(grep -c '^bucket ' <<<"$once")" != 1 ] || [ "$(grep -c DaysAfterInitiation <<<"$once")" != 1 ]; then
    echo "localstack/ready.d does not make the same four queues, subscription and bucket twice:" >&2
    echo "$once" >&2
    exit 1
fi
echo "localstack/ready.d made four queues, a raw subscription and a bucket, and changed nothing the second time"
unset AWS_ENDPOINT_URL AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY

# Not those of billing-worker: they look into process-email at once, where SNS delivers a moment later
tests=(
    --package common --package importer-api --package operator --package send-mail-worker
    --test bucket --test consumer --test put_off --test watch --test redrive --test mailing
)
export TESTKIT_AWS_ENDPOINT_URL="$endpoint"
if "${CARGO:-cargo}" nextest --version >/dev/null 2>&1; then
    "${CARGO:-cargo}" nextest run --no-fail-fast "${tests[@]}" "$@"
else
    "${CARGO:-cargo}" test --no-fail-fast "${tests[@]}" -- "$@"
fi
