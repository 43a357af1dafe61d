#!/usr/bin/env bash
# Tests the suite against MiniStack, a third opinion on what SQS, SNS and S3 do: starts the program of
# PyPI on a free port, then the tests that use queues, topic and bucket. Arguments are names of tests.
# `make test/ministack` installs what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

folder="$PWD/target/ministack"
export PATH="$folder/venv/bin:$PATH"

port="$(python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')"
endpoint="http://127.0.0.1:$port"
BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" SERVICES=sqs,sns,s3 ministack >"$folder/ministack.log" 2>&1 &
ministack=$!
trap 'kill -9 "$ministack" 2>/dev/null || true; wait "$ministack" 2>/dev/null || true' EXIT

for _ in $(seq 60); do
    if curl --silent --fail --output /dev/null "$endpoint/_ministack/health"; then
        break
    fi
    if ! kill -0 "$ministack" 2>/dev/null; then
        tail -n 20 "$folder/ministack.log" >&2
        echo "MiniStack ended; its log is in $folder/ministack.log" >&2
        exit 1
    fi
    sleep 1
done
echo "MiniStack at $endpoint"

# Those of developer/localstack.sh
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
