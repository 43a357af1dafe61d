use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::region::SetRegion;
use super::{QueueUrl, TopicArn};
use crate::runtime::{Environment, SettingError, wrong};

/// The profile where none is named.
const DEFAULT_PROFILE: &str = "default";

/// Keys of an AWS account that were given by variables.
#[derive(Clone)]
pub(super) struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`
    pub(super) access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub(super) secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, for temporary keys.
    pub(super) session_token: Option<String>,
}

/// Secrets are never printed.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

impl AwsKeys {
    /// `None` where neither key is set.
    fn read(env: &Environment) -> Result<Option<Self>, SettingError> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        if env.get(ID).is_none() && env.get(SECRET).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            access_key_id: env.required(ID, "a key id, as AWS_SECRET_ACCESS_KEY is set")?,
            secret_access_key: env.required(SECRET, "a key, as AWS_ACCESS_KEY_ID is set")?,
            session_token: env.get("AWS_SESSION_TOKEN").map(str::to_owned),
        }))
    }
}

/// Where AWS is, and who calls it. What is not here, the SDK reads from its
/// own variables and files.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Region; `None` leaves it to the profile, or else to the queue's URL and
    /// the topic's ARN.
    pub(super) region: Option<SetRegion>,
    /// Name of the profile.
    pub(super) profile: String,
    /// Keys; `None` leaves it to the SDK's own chain.
    pub(super) keys: Option<AwsKeys>,
    /// Certificates to trust instead of the system's, in PEM.
    pub(super) ca_bundle: Option<Vec<u8>>,
    /// Endpoint of SQS, before any that the SDK's own variables and files name.
    pub(super) sqs_endpoint: Option<String>,
    /// Endpoint of SNS, likewise.
    pub(super) sns_endpoint: Option<String>,
    /// Endpoint of S3, likewise.
    pub(super) s3_endpoint: Option<String>,
}

impl AwsSettings {
    /// Reads `AWS_…`, `SQS_ENDPOINT_URL`, `SNS_ENDPOINT_URL` and
    /// `S3_ENDPOINT_URL`.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        // The SDK takes them by itself, and ignores what it cannot read.
        for name in [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_ENDPOINT_URL_SNS",
            "AWS_ENDPOINT_URL_S3",
        ] {
            env.url(name)?;
        }
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|name| {
                let region = env.get(name)?.to_owned();
                Some(SetRegion { name, region })
            });
        Ok(Self {
            region,
            profile: env.get("AWS_PROFILE").unwrap_or(DEFAULT_PROFILE).to_owned(),
            keys: AwsKeys::read(env)?,
            ca_bundle: ca_bundle(env)?,
            sqs_endpoint: env.url("SQS_ENDPOINT_URL")?,
            sns_endpoint: env.url("SNS_ENDPOINT_URL")?,
            s3_endpoint: env.url("S3_ENDPOINT_URL")?,
        })
    }
}

/// The URL of the queue that a service works on: `SQS_QUEUE_URL`.
///
/// # Errors
/// When it is not set, or not the URL of a standard queue.
pub fn queue_url(env: &Environment) -> Result<QueueUrl, SettingError> {
    env.required("SQS_QUEUE_URL", QueueUrl::TAKES)
}

/// The ARN of the topic that a service publishes to: `SNS_TOPIC_ARN`.
///
/// # Errors
/// When it is not set, or not the ARN of a standard topic.
pub fn topic_arn(env: &Environment) -> Result<TopicArn, SettingError> {
    env.required("SNS_TOPIC_ARN", TopicArn::TAKES)
}

/// The file of `AWS_CA_BUNDLE`. The SDK takes it as read, so it is checked.
fn ca_bundle(env: &Environment) -> Result<Option<Vec<u8>>, SettingError> {
    const NAME: &str = "AWS_CA_BUNDLE";
    let Some(path) = env.get(NAME) else {
        return Ok(None);
    };
    let wrong = |why: &str| {
        wrong(
            NAME,
            path,
            &format!("the path of certificates in PEM; {why}"),
        )
    };
    let pem = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(&error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(&error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds none"));
    }
    Ok(Some(pem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn keys_are_taken_together_and_never_printed() {
        let read = |variables: &[_]| AwsSettings::read(&env(variables));
        let id = ("AWS_ACCESS_KEY_ID", "an-id");
        let secret = ("AWS_SECRET_ACCESS_KEY", "a-secret");
        assert!(read(&[]).unwrap().keys.is_none());
        for half in [id, secret] {
            assert!(read(&[half]).is_err());
        }
        let settings = read(&[id, secret]).unwrap();
        assert!(settings.keys.is_some());
        assert!(!format!("{settings:?}").contains("a-secret"));
    }

    #[test]
    fn wrong_resources_are_refused_and_fifo_is_said_why() {
        for url in [
            "data-process",
            "https:///q",
            "https://sqs.us-east-1.amazonaws.com/1/q.fifo",
        ] {
            let error = queue_url(&env(&[("SQS_QUEUE_URL", url)])).unwrap_err();
            assert!(error.to_string().contains("a .fifo queue"), "{error}");
        }
        for arn in ["topic", "arn:aws:sns:us-east-1:000000000000:t.fifo"] {
            let error = topic_arn(&env(&[("SNS_TOPIC_ARN", arn)])).unwrap_err();
            assert!(error.to_string().contains("a .fifo topic"), "{error}");
        }
    }

    #[test]
    fn a_bundle_that_holds_no_certificates_is_refused() {
        let empty = tempfile_with("");
        for path in ["/no/such/file", &empty] {
            let error = AwsSettings::read(&env(&[("AWS_CA_BUNDLE", path)])).unwrap_err();
            assert!(error.to_string().starts_with("AWS_CA_BUNDLE"), "{error}");
        }
    }

    fn tempfile_with(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("bundle-{}", fastrand::u64(..)));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
