use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::timeout::TimeoutConfig;

use super::{Queue, Topic};
use crate::service::BaseSettings;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A receive may wait that much longer than its long poll.
const RECEIVE_MARGIN: Duration = Duration::from_secs(10);

/// The clients of one service. Cloning shares their connections.
#[derive(Clone, Debug)]
pub struct AwsClients {
    calls: aws_sdk_sqs::Client,
    receives: aws_sdk_sqs::Client,
    notifications: aws_sdk_sns::Client,
}

/// Clients for the region and endpoints of the settings, with its keys or
/// else the SDK's own chain of credentials. `long_poll` is the longest wait of a receive.
/// Nothing is sent yet.
pub async fn connect(settings: &BaseSettings, long_poll: Duration) -> AwsClients {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        .timeout_config(timeouts(ATTEMPT_TIMEOUT));
    if let Some(keys) = settings.keys.clone() {
        loader = loader.credentials_provider(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            keys.session_token,
            None,
            "environment",
        ));
    }
    let shared = loader.load().await;
    let mut sqs = aws_sdk_sqs::config::Builder::from(&shared);
    sqs.set_endpoint_url(settings.sqs_endpoint.clone());
    let mut sns = aws_sdk_sns::config::Builder::from(&shared);
    sns.set_endpoint_url(settings.sns_endpoint.clone());
    let receives = sqs
        .clone()
        .timeout_config(timeouts(long_poll + RECEIVE_MARGIN));
    AwsClients {
        calls: aws_sdk_sqs::Client::from_conf(sqs.build()),
        receives: aws_sdk_sqs::Client::from_conf(receives.build()),
        notifications: aws_sdk_sns::Client::from_conf(sns.build()),
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}

impl AwsClients {
    /// The queue at that URL.
    pub fn queue(&self, url: String) -> Queue {
        Queue::new(self.calls.clone(), self.receives.clone(), url)
    }

    /// The topic of that ARN.
    pub fn topic(&self, arn: String) -> Topic {
        Topic::new(self.notifications.clone(), arn)
    }
}
