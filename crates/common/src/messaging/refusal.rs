//! Whom a code of SQS or SNS blames.

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
