//! The SDK's clients of an emulator, for what a test asks of it.

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use emulators::emulator::REGION;

/// A client of SQS, whose key id is `key`.
pub(crate) fn sqs(endpoint: &str, key: &str) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(key, "test", None, None, "test"))
        .http_client(http())
        .endpoint_url(endpoint);
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// A client of SNS, likewise.
pub(crate) fn sns(endpoint: &str, key: &str) -> aws_sdk_sns::Client {
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(key, "test", None, None, "test"))
        .http_client(http())
        .endpoint_url(endpoint);
    aws_sdk_sns::Client::from_conf(config.build())
}

/// Emulators have no TLS.
fn http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
