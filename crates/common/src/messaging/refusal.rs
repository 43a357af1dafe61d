//! Whom a code of SQS or SNS blames: not the flag `SenderFault`, which they set
//! for a throttled key of ours too.

/// Whether a code says that an entry of a batch will never be taken as it is:
/// what is wrong with the message, or that its receipt is no longer good. All
/// else is about the queue, the topic, a key or a limit, and passes once
/// somebody has mended it.
///
/// - <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html#API_SendMessageBatch_Errors>
/// - <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html#API_DeleteMessage_Errors>
/// - <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html#API_PublishBatch_Errors>
pub(super) fn blames_entry(code: &str, message: &str) -> bool {
    /// What SQS and SNS say of a message under a code that they have for any
    /// parameter: <https://github.com/localstack/localstack> keeps their answers
    /// in `tests/aws/services/{sqs,sns}/*.snapshot.json`.
    const OF_A_MESSAGE: [&str; 8] = [
        // SQS
        "message must be shorter than",
        "parameter messagebody",
        "(user) attribute",
        "receipt handle",
        "receipthandle",
        // SNS
        "message too long",
        "empty message",
        "message attribute",
    ];
    match plain(code) {
        "InvalidMessageContents"
        | "BatchRequestTooLong"
        | "ReceiptHandleIsInvalid"
        | "MessageNotInflight" => true,
        "InvalidParameterValue"
        | "InvalidParameter"
        | "ParameterValueInvalid"
        | "MissingParameter" => {
            let message = message.to_lowercase();
            OF_A_MESSAGE.iter().any(|words| message.contains(words))
        }
        _ => false,
    }
}

/// Whether a code is a fault within the service, which for one message alone
/// says nothing of the others.
pub(super) fn is_a_fault_of_the_service(code: &str) -> bool {
    matches!(
        plain(code),
        "InternalError" | "InternalFailure" | "InternalServerError" | "ServiceUnavailable"
    )
}

/// Whether a code says that the credentials are no longer good, so that others
/// may be there by now.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html>
pub(super) fn blames_credentials(code: &str) -> bool {
    matches!(
        plain(code),
        "ExpiredToken"
            | "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "InvalidToken"
    )
}

/// A code without what the protocols put around it:
/// `com.amazonaws.sqs#ExpiredTokenException` is `ExpiredToken`, and
/// `AWS.SimpleQueueService.NonExistentQueue` is `NonExistentQueue`.
fn plain(code: &str) -> &str {
    let code = code.rsplit(['.', '#']).next().unwrap_or(code);
    code.strip_suffix("Exception").unwrap_or(code)
}
