//! The calls of SQS and SNS that the suite makes.
//!
//! They are signed with the credentials of AWS's own chain, and sent over
//! pooled connections. The generated clients of the SDK are not
//! used: they take more than twice the CPU a call, and calls are most of what
//! a service does (`docs/PERFORMANCE.md`).

mod client;
mod credentials;
mod metrics;
mod settings;
mod signature;
mod sns;
mod sqs;

use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::{CallError, Queue, Topic};
use client::{Client, Http};
use credentials::Credentials;
use sns::Sns;

pub use metrics::AwsMetrics;
pub use settings::{AwsKeys, AwsSettings};
pub(super) use sns::{Sns as SnsCalls, TopicEntry};
pub(super) use sqs::{
    Attribute, Attributes, DeleteEntry, FailedEntry, Message, Receive, SendEntry, Sqs,
    VisibilityEntry,
};

/// What the clients of one service share: connections, region, credentials.
#[derive(Clone, Debug)]
pub struct Aws {
    http: Http,
    credentials: Credentials,
    region: String,
    sqs_endpoint: Option<String>,
    metrics: Option<AwsMetrics>,
}

impl Aws {
    /// For the region of the settings, with their keys or else the SDK's own
    /// chain of credentials. Nothing is sent yet.
    pub async fn new(settings: &AwsSettings) -> Self {
        let credentials = if let Some(keys) = settings.keys.clone() {
            Credentials::fixed(keys)
        } else {
            // For the chain's own requests, to a role's or an instance's endpoint.
            let http = aws_smithy_http_client::Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build_https();
            let config = aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new(settings.region.clone()))
                .http_client(http)
                .load()
                .await;
            Credentials::of_chain(config.credentials_provider())
        };
        Self {
            http: Http::default(),
            credentials,
            region: settings.region.clone(),
            sqs_endpoint: settings.sqs_endpoint.clone(),
            metrics: None,
        }
    }

    /// The same; the calls of what it makes from now on are observed.
    #[must_use]
    pub fn observed(mut self, metrics: AwsMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// The queue at that URL.
    pub fn queue(&self, url: String) -> Queue {
        let endpoint = self.sqs_endpoint.clone();
        let endpoint = endpoint.or_else(|| origin(&url).map(str::to_owned));
        Queue::new(self.sqs(endpoint), url)
    }

    /// The queue of that name in the account of the credentials.
    pub async fn queue_named(&self, name: &str) -> Result<Queue, CallError> {
        let sqs = self.sqs(self.sqs_endpoint.clone());
        let url = sqs.queue_url(name).await?;
        Ok(Queue::new(sqs, url))
    }

    /// The topic of that ARN, at that endpoint where it is not AWS's own.
    pub fn topic(&self, arn: String, endpoint: Option<String>) -> Topic {
        // arn:partition:sns:region:account:name
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let region = region.unwrap_or(&self.region);
        let endpoint = endpoint.unwrap_or_else(|| endpoint_of("sns", region));
        let client = self.client("sns", region, endpoint);
        let client = client.observed(self.metrics.as_ref(), &sns::OPERATIONS);
        Topic::new(Sns::new(client), arn)
    }

    fn sqs(&self, endpoint: Option<String>) -> Sqs {
        let endpoint = endpoint.unwrap_or_else(|| endpoint_of("sqs", &self.region));
        let client = self.client("sqs", &self.region, endpoint);
        Sqs::new(client.observed(self.metrics.as_ref(), &sqs::OPERATIONS))
    }

    fn client(&self, service: &'static str, region: &str, endpoint: String) -> Client {
        let (http, credentials) = (self.http.clone(), self.credentials.clone());
        Client::new(http, credentials, service, region, endpoint)
    }
}

/// Scheme, host and port of a URL: a queue's URL names the endpoint that has
/// it, a private or a Chinese one too.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url[host..].find('/').map_or(url.len(), |end| host + end);
    (end > host).then(|| &url[..end])
}

/// AWS's own endpoint of a service in a region.
fn endpoint_of(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{service}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_queue_is_its_endpoint() {
        for (url, expected) in [
            ("http://localhost:4566/0/q", Some("http://localhost:4566")),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
                Some("https://sqs.cn-north-1.amazonaws.com.cn"),
            ),
            ("https://host", Some("https://host")),
            ("q", None),
            ("https:///q", None),
        ] {
            assert_eq!(origin(url), expected, "{url}");
        }
    }

    #[test]
    fn china_has_a_domain_of_its_own() {
        assert_eq!(
            endpoint_of("sns", "sa-east-1"),
            "https://sns.sa-east-1.amazonaws.com"
        );
        assert_eq!(
            endpoint_of("sqs", "cn-north-1"),
            "https://sqs.cn-north-1.amazonaws.com.cn"
        );
    }
}
