//! What SNS refuses, in AWS' spelling.

use http::StatusCode;

/// The code of a refusal, as SNS spells it
/// (<https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html#API_PublishBatch_Errors>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicErrorCode {
    /// Two entries of a batch have the same id.
    BatchEntryIdsNotDistinct,
    /// The messages of a batch are too long together.
    BatchRequestTooLong,
    /// A batch without entries.
    EmptyBatchRequest,
    /// SNS itself failed; here: a subscribed queue is not there, or does not take the message.
    InternalError,
    /// There is no such operation.
    InvalidAction,
    /// The id of an entry is too long, or has other letters than it may.
    InvalidBatchEntryId,
    /// A parameter is missing, or has a value that it cannot have.
    InvalidParameter,
    /// There is no topic of that ARN.
    NotFound,
    /// A message attribute has a type or a value that it cannot have.
    ParameterValueInvalid,
    /// A batch has too many entries.
    TooManyEntriesInBatchRequest,
}

/// A refusal of SNS.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {message}", .code.name())]
pub struct TopicError {
    /// What kind of refusal it is.
    pub code: TopicErrorCode,
    /// What SNS says about it.
    pub message: String,
}

impl TopicError {
    pub(super) fn new(code: TopicErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn invalid(reason: impl std::fmt::Display) -> Self {
        Self::new(
            TopicErrorCode::InvalidParameter,
            format!("Invalid parameter: {reason}"),
        )
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(TopicErrorCode::InternalError, message)
    }
}

impl TopicErrorCode {
    /// As the answer has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatchEntryIdsNotDistinct => "BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong => "BatchRequestTooLong",
            Self::EmptyBatchRequest => "EmptyBatchRequest",
            Self::InternalError => "InternalError",
            Self::InvalidAction => "InvalidAction",
            Self::InvalidBatchEntryId => "InvalidBatchEntryId",
            Self::InvalidParameter => "InvalidParameter",
            Self::NotFound => "NotFound",
            Self::ParameterValueInvalid => "ParameterValueInvalid",
            Self::TooManyEntriesInBatchRequest => "TooManyEntriesInBatchRequest",
        }
    }

    /// Of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the fault is the sender's.
    pub fn is_sender_fault(self) -> bool {
        self != Self::InternalError
    }
}
