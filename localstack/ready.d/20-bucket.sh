#!/bin/sh
# Creates the bucket for the files of the imports. LocalStack and MiniStack run it once they are ready.
# It can be run again: what exists stays.
set -eu

REGION="${AWS_DEFAULT_REGION:-us-east-1}"
BUCKET="${BUCKET:-billing-imports}"

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

if ! cloud s3api head-bucket --bucket "$BUCKET" >/dev/null 2>&1; then
  # The name of the oldest region is not taken for a location
  if [ "$REGION" = us-east-1 ]; then
    cloud s3api create-bucket --bucket "$BUCKET"
  else
    cloud s3api create-bucket --bucket "$BUCKET" --create-bucket-configuration "LocationConstraint=$REGION"
  fi
fi

# What is left of an upload whose importer-api was killed is paid for until somebody ends it
cloud s3api put-bucket-lifecycle-configuration --bucket "$BUCKET" --lifecycle-configuration '{
  "Rules": [{
    "ID": "abort-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}
  }]
}'
