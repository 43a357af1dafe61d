use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::timeout::TimeoutConfig;

use super::{CallError, Queue, Topic};
use crate::service::{AwsSettings, BaseSettings};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A receive may wait that much longer than its long poll.
const RECEIVE_MARGIN: Duration = Duration::from_secs(10);

/// What the clients of one service share: connections, region, credentials.
#[derive(Clone, Debug)]
pub struct Aws {
    config: SdkConfig,
    sqs_endpoint: Option<String>,
}

impl Aws {
    /// For a service with those settings.
    pub async fn new(settings: &BaseSettings) -> Self {
        Self::at(&settings.aws).await
    }

    /// For the region of the settings, with their keys or else the SDK's own
    /// chain of credentials. Nothing is sent yet.
    pub async fn at(settings: &AwsSettings) -> Self {
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
        Self {
            config: loader.load().await,
            sqs_endpoint: settings.sqs_endpoint.clone(),
        }
    }

    /// The queue at that URL. `long_poll` is the longest wait of a receive.
    pub fn queue(&self, url: String, long_poll: Duration) -> Queue {
        let mut config = aws_sdk_sqs::config::Builder::from(&self.config);
        config.set_endpoint_url(self.sqs_endpoint.clone());
        let receives = config
            .clone()
            .timeout_config(timeouts(long_poll + RECEIVE_MARGIN));
        Queue::new(
            aws_sdk_sqs::Client::from_conf(config.build()),
            aws_sdk_sqs::Client::from_conf(receives.build()),
            url,
        )
    }

    /// The queue of that name in the account of the credentials.
    pub async fn queue_named(&self, name: &str, long_poll: Duration) -> Result<Queue, CallError> {
        self.queue(String::new(), long_poll).named(name).await
    }

    /// The topic of that ARN, at that endpoint where it is not AWS's own.
    pub fn topic(&self, arn: String, endpoint: Option<String>) -> Topic {
        let mut config = aws_sdk_sns::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        Topic::new(aws_sdk_sns::Client::from_conf(config.build()), arn)
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}
