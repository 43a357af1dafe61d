use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};

/// How long before their end credentials are asked for again: an attempt
/// still has them for its own time.
const BEFORE_THEIR_END: Duration = Duration::from_mins(1);
/// How long credentials are taken that name no end, as the SDK's own cache
/// does.
const WITHOUT_AN_END: Duration = Duration::from_mins(15);

/// The credentials of the SDK's chain, kept until shortly before they end, or
/// until they are refused. Cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct Signer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<Kept>>,
    /// Held by the one call that asks the chain.
    asking: tokio::sync::Mutex<()>,
    /// Times that the credentials were forgotten.
    refusals: AtomicU64,
}

#[derive(Clone, Debug)]
struct Kept {
    credential: Arc<AwsCredential>,
    until: SystemTime,
}

impl Signer {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Shared {
            provider,
            kept: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            refusals: AtomicU64::new(0),
        }))
    }

    /// The next call asks anew.
    pub(super) fn forget(&self) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.refusals.fetch_add(1, Ordering::Relaxed);
        *kept = None;
    }

    fn kept(&self) -> Option<Arc<AwsCredential>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| SystemTime::now() < kept.until);
        kept.map(|kept| Arc::clone(&kept.credential))
    }

    fn keep(&self, kept: Kept, asked_after: u64) {
        let mut now = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Refused meanwhile: it may be these that were.
        if self.0.refusals.load(Ordering::Relaxed) == asked_after {
            *now = Some(kept);
        }
    }
}

#[async_trait]
impl CredentialProvider for Signer {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let _asking = self.0.asking.lock().await;
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let asked_after = self.0.refusals.load(Ordering::Relaxed);
        let credentials = self.0.provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| Error::Unauthenticated {
            path: String::new(),
            source: Box::new(error),
        })?;
        let kept = Kept::from(&credentials);
        let credential = Arc::clone(&kept.credential);
        self.keep(kept, asked_after);
        Ok(credential)
    }
}

impl From<&Credentials> for Kept {
    fn from(credentials: &Credentials) -> Self {
        let end = credentials.expiry();
        let until = end.and_then(|end| end.checked_sub(BEFORE_THEIR_END));
        Self {
            credential: Arc::new(AwsCredential {
                key_id: credentials.access_key_id().to_owned(),
                secret_key: credentials.secret_access_key().to_owned(),
                token: credentials.session_token().map(str::to_owned),
            }),
            until: until.unwrap_or_else(|| SystemTime::now() + WITHOUT_AN_END),
        }
    }
}
