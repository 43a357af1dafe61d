//! Names and figures of the queues, the topic and the message attributes.

use std::time::Duration;

/// Queue from importer-api to billing-worker: CSV records, one a message unless
/// importer-api is told otherwise.
pub const DATA_PROCESS: &str = "data-process";
/// Dead letters of [`DATA_PROCESS`].
pub const DATA_PROCESS_DLQ: &str = "data-process-dlq";
/// Topic of the billing notifications.
pub const DATA_PROCESS_TOPIC: &str = "data-process-topic";
/// Queue subscribed to the topic; send-mail-worker drains it.
pub const PROCESS_EMAIL: &str = "process-email";
/// Dead letters of [`PROCESS_EMAIL`].
pub const PROCESS_EMAIL_DLQ: &str = "process-email-dlq";

/// How long a received message stays hidden from other receivers.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Most entries of a batch call of SQS and of SNS.
pub const MAX_BATCH_ENTRIES: usize = 10;
/// Most bytes that SQS takes as a message, and as all messages of a batch call
/// together: bodies and attributes (names, types and values). 256 KiB until
/// August 2025; a queue may be set to less by its `MaximumMessageSize`:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub const SQS_MAX_BYTES: usize = 1024 * 1024;
/// The same of SNS: <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>
pub const SNS_MAX_BYTES: usize = 256 * 1024;

/// Attribute, String: the import (a UUID) that a message's row belongs to.
pub const IMPORT_ID: &str = "import_id";
/// Attribute, Number: the row's number in its import, 1 = first data row.
pub const ROW: &str = "row";
/// Attribute, String: what a message's records have of the optional columns, a
/// line of JSON for each record.
pub const COLUMNS: &str = "columns";
/// Attribute, String: what a notification tells, for subscription filters.
pub const EVENT_TYPE: &str = "event_type";
/// Attribute, Number: how often a message was put off, from 1 on.
pub const PUT_OFF: &str = "put_off";
/// Attribute, Number: Unix seconds before which a message that was put off is
/// not handled.
pub const NOT_BEFORE: &str = "not_before";
/// Attribute, String: the trace that a message belongs to, and the span that
/// sent it: <https://www.w3.org/TR/trace-context/#traceparent-header>
pub const TRACEPARENT: &str = "traceparent";
/// Attribute, String: what tracing systems add to that, where they do:
/// <https://www.w3.org/TR/trace-context/#tracestate-header>
pub const TRACESTATE: &str = "tracestate";
/// The [`EVENT_TYPE`] of a billed debt.
pub const BILLING_ISSUED: &str = "billing.issued";
