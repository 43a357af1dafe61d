"""Which right of IAM a request to SQS, SNS or S3 needs, and on what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "000000000000"  # of the emulator


@dataclass(frozen=True, order=True)
class Call:
    """A right on something, both as a policy names them."""

    action: str
    resource: str


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes, region: str) -> Call:
    """Raises ValueError for a request that is none of the three services'."""
    target = headers.get("x-amz-target", "")
    if target.startswith("AmazonSQS."):
        return of_sqs(target.removeprefix("AmazonSQS."), json.loads(body), region)
    if "application/x-www-form-urlencoded" in headers.get("content-type", ""):
        return of_sns(parse_qs(body.decode()))
    return of_s3(method, path)


def of_sqs(operation: str, body: dict, region: str) -> Call:
    """A batch needs the right of the single call."""
    queue = body["QueueName"] if "QueueName" in body else body["QueueUrl"].rsplit("/", 1)[1]
    return Call(f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:{region}:{ACCOUNT}:{queue}")


def of_sns(form: dict[str, list[str]]) -> Call:
    [operation], [topic] = form["Action"], form["TopicArn"]
    return Call(f"sns:{operation.removesuffix('Batch')}", topic)


def of_s3(method: str, path: str) -> Call:
    """The bucket is named in the path. Parts of an upload and their end need the right to put."""
    parts = urlsplit(path)
    bucket, _, key = parts.path.strip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        match method:
            case "GET" | "HEAD":
                return Call("s3:ListBucketMultipartUploads" if "uploads" in query else "s3:ListBucket", arn)
            case "POST" if "delete" in query:
                return Call("s3:DeleteObject", f"{arn}/*")
        raise ValueError(f"{method} {path}")
    match method:
        case "GET" if "uploadId" in query:
            action = "s3:ListMultipartUploadParts"
        case "GET" | "HEAD":
            action = "s3:GetObject"
        case "PUT":
            action = "s3:PutObject"
        case "POST" if "uploads" in query or "uploadId" in query:
            action = "s3:PutObject"
        case "DELETE":
            action = "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
        case _:
            raise ValueError(f"{method} {path}")
    return Call(action, f"{arn}/{key}")
