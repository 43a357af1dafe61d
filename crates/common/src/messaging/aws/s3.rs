//! A bucket of S3, by the `object_store` crate over the connections and the
//! credentials of the SDK.

mod encryption;
mod http;
mod signer;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::BucketUrl;
use crate::runtime::{SettingError, wrong};
pub use encryption::BucketEncryption;
use http::Connections;
use signer::Signer;

/// Further attempts of a call, within [`RETRYING`].
const RETRIES: usize = 10;
/// The waits between them.
const BACKOFF: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(50),
    max_backoff: Duration::from_secs(2),
    base: 2.0,
};
/// Time since its begin after which a call is not tried again.
const RETRYING: Duration = Duration::from_secs(5);

/// A bucket, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) url: &'a BucketUrl,
    /// `None` is AWS's own.
    pub(super) endpoint: Option<&'a str>,
    pub(super) region: &'a str,
    pub(super) use_fips: bool,
    pub(super) use_dual_stack: bool,
}

impl Place<'_> {
    /// The store there, which is reached through these connections.
    pub(super) fn store(
        self,
        encryption: &BucketEncryption,
        provider: SharedCredentialsProvider,
        connector: SharedHttpConnector,
    ) -> Result<Arc<dyn ObjectStore>, SettingError> {
        let signer = Signer::new(provider);
        let builder = AmazonS3Builder::new()
            .with_bucket_name(self.url.bucket())
            .with_region(self.region)
            .with_credentials(Arc::new(signer.clone()))
            .with_http_connector(Connections::new(connector, signer))
            // TLS guards the content; to hash 8 MiB would keep the thread of the
            // runtime from all else.
            .with_unsigned_payload(true)
            // One kind of request less that a server or a policy may not know.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BACKOFF,
                max_retries: RETRIES,
                retry_timeout: RETRYING,
            });
        let builder = match self.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).with_allow_http(true),
            None => self.of_aws(builder),
        };
        let store = encryption.of(builder).and_then(AmazonS3Builder::build);
        let wrong = |error: object_store::Error| {
            wrong("SPOOL_URL", &self.url.to_string(), &error.to_string())
        };
        Ok(Arc::new(store.map_err(wrong)?))
    }

    /// The endpoint of AWS. Its certificate is for the name of a bucket only
    /// where that has no dot:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>.
    fn of_aws(self, builder: AmazonS3Builder) -> AmazonS3Builder {
        let fips = if self.use_fips { "-fips" } else { "" };
        let dual_stack = if self.use_dual_stack {
            ".dualstack"
        } else {
            ""
        };
        let Self { url, region, .. } = self;
        let host = format!("s3{fips}{dual_stack}.{region}.{}", domain(region));
        if url.bucket().contains('.') {
            builder.with_endpoint(format!("https://{host}"))
        } else {
            builder
                .with_virtual_hosted_style_request(true)
                .with_endpoint(format!("https://{}.{host}", url.bucket()))
        }
    }
}

/// The domain of a region's partition, as in the partitions that the SDKs
/// know.
fn domain(region: &str) -> &'static str {
    const DOMAINS: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-isof-", "csp.hci.ic.gov"),
    ];
    let domain = DOMAINS.iter().find(|(start, _)| region.starts_with(start));
    domain.map_or("amazonaws.com", |(_, domain)| domain)
}

#[cfg(test)]
mod tests;
