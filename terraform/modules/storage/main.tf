# Its encryption, versioning and lifecycle are in the module storage-settings, as provider 4 moved them
# into resources of their own. Without those AWS encrypts with SSE-S3 and keeps no versions.
resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:the log of accesses would be a second bucket with personal data; CloudTrail has data events
  #checkov:skip=CKV_AWS_21:a version would keep a removed file, and the personal data in it
  #checkov:skip=CKV_AWS_144:a file is needed for days; S3 keeps it in three zones
  #checkov:skip=CKV_AWS_145:SSE-S3, or a KMS key by storage-settings
  #checkov:skip=CKV2_AWS_61:its lifecycle is in storage-settings
  #checkov:skip=CKV2_AWS_62:nobody is to be told of a file; the suite knows it from its ledger
  bucket        = var.bucket
  force_destroy = var.force_destroy

  # What a bucket gets by default or by storage-settings; provider 3 would take it away again
  lifecycle {
    ignore_changes = [server_side_encryption_configuration, lifecycle_rule, versioning]
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.tls_only.json

  # S3 takes one change of a bucket at a time
  depends_on = [aws_s3_bucket_public_access_block.this]
}
