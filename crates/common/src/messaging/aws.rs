//! SQS and SNS, called through the official SDK. Its types do not leave
//! `messaging`.

mod bucket_url;
mod call;
mod credentials;
mod http;
mod metrics;
mod queue_url;
mod region;
mod s3;
mod settings;
mod sns;
mod sqs;
mod topic_arn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_types::service_config::ServiceConfigKey;
use object_store::ObjectStore;

use super::{CallError, Queue, Topic};
use crate::runtime::{SettingError, Tracer, wrong};
use call::Calls;
use credentials::{Chain, Identities};
use http::Http;
use region::{SetRegion, region_for};

pub use bucket_url::{BucketUrl, NoBucketUrl};
pub use metrics::AwsMetrics;
pub use queue_url::{NoQueueUrl, QueueUrl};
pub use s3::BucketEncryption;
use settings::AwsKeys;
pub use settings::{AwsSettings, queue_url, topic_arn};
pub(super) use sns::Sns;
pub(super) use sqs::{
    Attributes, Message, Receive, Sqs, attribute, receive_count, send_entry, sent_at, size_of,
    text_attribute,
};
pub use topic_arn::{NoTopicArn, TopicArn};

/// What the SDK itself may log, as a directive of a tracing filter. Its errors
/// come back from its calls and are logged there, once an outage; below that
/// it would tell of each try, and of messages.
pub const SDK_LOG_DIRECTIVES: &str = "aws_config=error,aws_runtime=error,aws_smithy_http_client=error,aws_smithy_runtime=error,object_store=error";

/// How the name of a queue or topic ends that keeps an order.
const FIFO: &str = ".fifo";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait of the SDK before it tries a call again. Its own, of a second,
/// is as long as most faults of a connection last.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// What the clients of one service share: connections, credentials, region.
#[derive(Clone)]
pub struct Aws {
    sdk: SdkConfig,
    http: Http,
    identities: Identities,
    settings: AwsSettings,
    set_region: Option<SetRegion>,
    metrics: Option<AwsMetrics>,
    tracer: Tracer,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    /// Reads the SDK's own files and variables. Nothing is sent yet.
    pub async fn new(settings: &AwsSettings) -> Self {
        Self::over(http::client(settings.ca_bundle.as_deref()), settings).await
    }

    async fn over(http: Http, settings: &AwsSettings) -> Self {
        let identities = Identities::default();
        let set_region = region::set_region(settings.region.clone(), &settings.profile).await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            // Each client has its own; this one keeps the SDK from looking for one.
            .region(Region::new(region_for(set_region.as_ref(), None)))
            .profile_name(&settings.profile)
            .http_client(http.client.clone())
            .identity_cache(identities.clone())
            .timeout_config(timeouts.build())
            // Each client has its own, as it depends on the region.
            .no_credentials()
            .load()
            .await;
        let retries = sdk.retry_config().cloned();
        let retries = retries.unwrap_or_else(RetryConfig::standard);
        let sdk = sdk.into_builder();
        Self {
            sdk: sdk
                .retry_config(retries.with_initial_backoff(FIRST_RETRY))
                .build(),
            http,
            identities,
            settings: settings.clone(),
            set_region,
            metrics: None,
            tracer: Tracer::default(),
        }
    }

    /// The same; the calls of what it makes from now on are observed.
    #[must_use]
    pub fn observed(mut self, metrics: AwsMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// The same; the calls of what it makes from now on have spans.
    #[must_use]
    pub fn traced(mut self, tracer: Tracer) -> Self {
        self.tracer = tracer;
        self
    }

    /// The queue at that URL.
    ///
    /// # Errors
    /// When a region that was set is not that of the URL, or FIPS or
    /// dual-stack endpoints were asked for where the endpoint is another.
    pub fn queue(&self, url: &QueueUrl) -> Result<Queue, SettingError> {
        let sqs = self.sqs(Some(url))?;
        Ok(Queue::new(sqs, url.to_string(), self.tracer.clone()))
    }

    /// The queue of that name in the account of the credentials.
    ///
    /// # Errors
    /// When the settings contradict each other, as for [`Self::queue`], or
    /// SQS does not name it.
    pub async fn queue_named(&self, name: &str) -> Result<Queue, CallError> {
        let sqs = self.sqs(None);
        let sqs = sqs.map_err(|error| CallError::new(error.to_string()))?;
        let url = sqs.queue_url(name).await?;
        Ok(Queue::new(sqs, url, self.tracer.clone()))
    }

    /// The topic of that ARN.
    ///
    /// # Errors
    /// As for [`Self::queue`], with the region of the ARN.
    pub fn topic(&self, arn: &TopicArn) -> Result<Topic, SettingError> {
        if let Some(set) = &self.set_region {
            set.must_be(arn.region(), "SNS_TOPIC_ARN", arn)?;
        }
        let endpoint = self.endpoint(self.settings.sns_endpoint.as_deref(), "SNS");
        let sdk = self.config(region_for(self.set_region.as_ref(), Some(arn.region())));
        must_be_alone(endpoint.as_deref(), &sdk)?;
        let calls = self.calls("sns", endpoint.as_deref(), &sdk, &sns::OPERATIONS);
        let config = aws_sdk_sns::config::Builder::from(&sdk);
        let sns = Sns::new(calls, config, endpoint);
        Ok(Topic::new(sns, arn.to_string(), self.tracer.clone()))
    }

    /// The bucket of that URL, in the region that was set, or else that of the
    /// queue. Nothing is sent yet.
    ///
    /// # Errors
    /// When FIPS or dual-stack endpoints were asked for where the endpoint is
    /// another, or a setting cannot be sent.
    pub fn bucket(
        &self,
        url: &BucketUrl,
        encryption: &BucketEncryption,
        queue: Option<&QueueUrl>,
    ) -> Result<Arc<dyn ObjectStore>, SettingError> {
        let endpoint = self.endpoint(self.settings.s3_endpoint.as_deref(), "S3");
        must_be_alone(endpoint.as_deref(), &self.sdk)?;
        let region = region_for(self.set_region.as_ref(), queue.and_then(QueueUrl::region));
        let place = s3::Place {
            url,
            endpoint: endpoint.as_deref(),
            region: &region,
            use_fips: self.sdk.use_fips() == Some(true),
            use_dual_stack: self.sdk.use_dual_stack() == Some(true),
        };
        let provider = self.provider(Region::new(region.clone()));
        place.store(encryption, provider, self.http.connector.clone())
    }

    fn sqs(&self, url: Option<&QueueUrl>) -> Result<Sqs, SettingError> {
        let region = url.and_then(QueueUrl::region);
        if let (Some(set), Some(url), Some(region)) = (&self.set_region, url, region) {
            set.must_be(region, "SQS_QUEUE_URL", url)?;
        }
        let endpoint = self.endpoint(self.settings.sqs_endpoint.as_deref(), "SQS");
        let endpoint = endpoint.or_else(|| url.and_then(QueueUrl::endpoint));
        let mut sdk = self.config(region_for(self.set_region.as_ref(), region));
        if endpoint.is_none()
            && let Some(url) = url
        {
            sdk = url.variant_of(sdk);
        }
        must_be_alone(endpoint.as_deref(), &sdk)?;
        let calls = self.calls("sqs", endpoint.as_deref(), &sdk, &sqs::OPERATIONS);
        let config = aws_sdk_sqs::config::Builder::from(&sdk);
        Ok(Sqs::new(calls, config, endpoint))
    }

    /// The endpoint of a service where it is named: by our own variable, or by
    /// the SDK's own variables and files.
    fn endpoint(&self, ours: Option<&str>, service_id: &str) -> Option<String> {
        if let Some(ours) = ours {
            return Some(ours.to_owned());
        }
        let key = ServiceConfigKey::builder()
            .service_id(service_id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        let own = self.sdk.service_config();
        let own = own.and_then(|config| config.load_config(key));
        let shared = || self.sdk.endpoint_url().map(str::to_owned);
        let named = |endpoint: &String| !endpoint.is_empty();
        own.filter(named).or_else(|| shared().filter(named))
    }

    /// The SDK's configuration for a region, whose endpoints the credentials
    /// are asked of.
    fn config(&self, region: String) -> SdkConfig {
        let region = Region::new(region);
        let provider = self.provider(region.clone());
        let sdk = self.sdk.clone().into_builder().region(region);
        sdk.credentials_provider(provider).build()
    }

    /// Who signs: the keys of the variables, or else the SDK's chain.
    fn provider(&self, region: Region) -> SharedCredentialsProvider {
        if let Some(keys) = self.settings.keys.clone() {
            return SharedCredentialsProvider::new(keys.into_credentials());
        }
        let profile = self.settings.profile.clone();
        let chain = Chain::new(region, profile, self.http.client.clone(), &self.sdk);
        SharedCredentialsProvider::new(chain)
    }

    fn calls(
        &self,
        service: &'static str,
        endpoint: Option<&str>,
        sdk: &SdkConfig,
        operations: &[&'static str],
    ) -> Calls {
        let region = sdk.region().map_or("", Region::as_ref);
        let place = endpoint.map_or_else(
            || format!("{} in {region}", service.to_uppercase()),
            str::to_owned,
        );
        let metrics = self.metrics.as_ref();
        let metrics = metrics.map(|metrics| metrics.of(service, operations));
        Calls::new(place, self.identities.clone(), metrics.unwrap_or_default())
    }
}

impl AwsKeys {
    fn into_credentials(self) -> Credentials {
        let source = "environment";
        Credentials::new(
            self.access_key_id,
            self.secret_access_key,
            self.session_token,
            None,
            source,
        )
    }
}

/// AWS has FIPS and dual-stack endpoints; one that is named is neither, and
/// the SDK would refuse every call.
fn must_be_alone(endpoint: Option<&str>, sdk: &SdkConfig) -> Result<(), SettingError> {
    let Some(endpoint) = endpoint else {
        return Ok(());
    };
    for (name, is_set) in [
        ("AWS_USE_FIPS_ENDPOINT", sdk.use_fips()),
        ("AWS_USE_DUALSTACK_ENDPOINT", sdk.use_dual_stack()),
    ] {
        if is_set == Some(true) {
            let takes = format!("false (here or in the AWS profile) with the endpoint {endpoint}");
            return Err(wrong(name, "true", &takes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
