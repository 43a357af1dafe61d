#!/usr/bin/env bash
# Creates the bucket for the files of the imports. LocalStack runs it once it is ready. It can be run
# again: what exists stays.
set -euo pipefail

REGION="${AWS_DEFAULT_REGION:-us-east-1}"
BUCKET="${BUCKET:-billing-imports}"

s3api() {
  awslocal --region "$REGION" s3api "$@"
}

if ! s3api head-bucket --bucket "$BUCKET" >/dev/null 2>&1; then
  # The name of the oldest region is not taken for a location
  location=()
  if [ "$REGION" != us-east-1 ]; then
    location=(--create-bucket-configuration "LocationConstraint=$REGION")
  fi
  s3api create-bucket --bucket "$BUCKET" "${location[@]}"
fi

# What is left of an upload whose importer-api was killed is paid for until somebody ends it
s3api put-bucket-lifecycle-configuration --bucket "$BUCKET" --lifecycle-configuration '{
  "Rules": [{
    "ID": "abort-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}
  }]
}'
