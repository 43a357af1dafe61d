//! What SQS refuses, in AWS' spelling.

use http::StatusCode;

/// The code of a refusal.
///
/// The names are the shapes of the JSON protocol. Those of SQS are in
/// <https://github.com/aws/api-models-aws/blob/main/models/sqs/service/2012-11-05/sqs-2012-11-05.json>
/// with their older names (`awsQueryError`) and their statuses. The others are of the framework below it,
/// which the model leaves out, as AWS sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueErrorCode {
    /// Two entries of a batch have the same id.
    BatchEntryIdsNotDistinct,
    /// The messages of a batch are too long together.
    BatchRequestTooLong,
    /// A batch without entries.
    EmptyBatchRequest,
    /// A queue has no attribute of that name.
    InvalidAttributeName,
    /// An attribute of a queue cannot have that value.
    InvalidAttributeValue,
    /// The id of an entry is too long, or has other letters than it may.
    InvalidBatchEntryId,
    /// A message has characters that XML cannot carry.
    InvalidMessageContents,
    /// A parameter has a value that it cannot have.
    InvalidParameterValueException,
    /// The visibility of a message that is visible cannot be changed.
    MessageNotInflight,
    /// A parameter is missing, or empty.
    MissingRequiredParameterException,
    /// A queue is purged once a minute at most.
    PurgeQueueInProgress,
    /// There is no queue of that URL or name.
    QueueDoesNotExist,
    /// There is a queue of that name, with other attributes.
    QueueNameExists,
    /// A receipt handle that no receive from this queue gave.
    ReceiptHandleIsInvalid,
    /// The body of the request cannot be read.
    SerializationException,
    /// A batch has too many entries.
    TooManyEntriesInBatchRequest,
    /// There is no such operation.
    UnknownOperationException,
    /// SQS has it, but not for queues such as this one; here also: the emulator has it not.
    UnsupportedOperation,
}

/// How AWS spells a code.
struct Spelling {
    /// In the body, as `__type`.
    shape: &'static str,
    /// In the header `x-amzn-query-error`, and in the failed entries of a batch.
    query: &'static str,
    status: StatusCode,
}

/// A refusal of SQS. The fault is always the sender's.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", .code.query())]
pub struct QueueError {
    /// What kind of refusal it is.
    pub code: QueueErrorCode,
    /// What SQS says about it.
    pub message: String,
}

impl QueueError {
    pub(super) fn new(code: QueueErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(QueueErrorCode::InvalidParameterValueException, message)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(
            QueueErrorCode::MissingRequiredParameterException,
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(super) fn no_queue() -> Self {
        Self::new(
            QueueErrorCode::QueueDoesNotExist,
            "The specified queue does not exist.",
        )
    }
}

impl QueueErrorCode {
    /// As the body of an answer has it, with the namespace.
    pub fn shape(self) -> &'static str {
        self.spelling().shape
    }

    /// As the header `x-amzn-query-error` and the failed entries of a batch have it.
    pub fn query(self) -> &'static str {
        self.spelling().query
    }

    /// Of the answer.
    pub fn status(self) -> StatusCode {
        self.spelling().status
    }

    fn spelling(self) -> Spelling {
        use QueueErrorCode as Code;
        let (shape, query) = match self {
            Code::BatchEntryIdsNotDistinct => (
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Code::BatchRequestTooLong => (
                "com.amazonaws.sqs#BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            ),
            Code::EmptyBatchRequest => (
                "com.amazonaws.sqs#EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
            ),
            Code::InvalidAttributeName => (
                "com.amazonaws.sqs#InvalidAttributeName",
                "InvalidAttributeName",
            ),
            Code::InvalidAttributeValue => (
                "com.amazonaws.sqs#InvalidAttributeValue",
                "InvalidAttributeValue",
            ),
            Code::InvalidBatchEntryId => (
                "com.amazonaws.sqs#InvalidBatchEntryId",
                "AWS.SimpleQueueService.InvalidBatchEntryId",
            ),
            Code::InvalidMessageContents => (
                "com.amazonaws.sqs#InvalidMessageContents",
                "InvalidMessageContents",
            ),
            Code::InvalidParameterValueException => (
                "com.amazon.coral.service#InvalidParameterValueException",
                "InvalidParameterValue",
            ),
            Code::MessageNotInflight => (
                "com.amazonaws.sqs#MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Code::MissingRequiredParameterException => (
                "com.amazon.coral.service#MissingRequiredParameterException",
                "MissingParameter",
            ),
            Code::PurgeQueueInProgress => (
                "com.amazonaws.sqs#PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
            ),
            Code::QueueDoesNotExist => (
                "com.amazonaws.sqs#QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
            ),
            Code::QueueNameExists => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
            Code::ReceiptHandleIsInvalid => (
                "com.amazonaws.sqs#ReceiptHandleIsInvalid",
                "ReceiptHandleIsInvalid",
            ),
            Code::SerializationException => (
                "com.amazon.coral.service#SerializationException",
                "MalformedInput",
            ),
            Code::TooManyEntriesInBatchRequest => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Code::UnknownOperationException => (
                "com.amazon.coral.service#UnknownOperationException",
                "InvalidAction",
            ),
            Code::UnsupportedOperation => (
                "com.amazonaws.sqs#UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
        };
        let status = match self {
            Code::PurgeQueueInProgress => StatusCode::FORBIDDEN,
            Code::ReceiptHandleIsInvalid => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Spelling {
            shape,
            query,
            status,
        }
    }
}
