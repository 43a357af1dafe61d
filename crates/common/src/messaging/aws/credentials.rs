use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::messaging::AwsKeys;
use crate::messaging::CallError;

/// Temporary credentials are asked for again that long before they end.
const RENEWED_BEFORE_END: Duration = Duration::from_mins(5);

/// Who signs. Cloning shares what was asked for.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    chain: Option<SharedCredentialsProvider>,
    current: Arc<Mutex<Option<Keys>>>,
    /// Held by the one who asks the chain.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Credentials {
    /// Keys that never change.
    pub(super) fn fixed(keys: AwsKeys) -> Self {
        let keys = Keys::new(
            keys.access_key_id,
            keys.secret_access_key,
            keys.session_token,
            None,
            "environment",
        );
        let credentials = Self::of_chain(None);
        credentials.put(keys);
        credentials
    }

    /// Whatever that chain finds; it is asked when it is needed.
    pub(super) fn of_chain(chain: Option<SharedCredentialsProvider>) -> Self {
        Self {
            chain,
            current: Arc::default(),
            asking: Arc::default(),
        }
    }

    /// The keys to sign with now.
    ///
    /// # Errors
    /// When the chain finds none.
    pub(super) async fn keys(&self) -> Result<Keys, CallError> {
        if let Some(keys) = self.lasting() {
            return Ok(keys);
        }
        let _asking = self.asking.lock().await;
        if let Some(keys) = self.lasting() {
            return Ok(keys);
        }
        let Some(chain) = &self.chain else {
            return Err(CallError::new("there are no AWS credentials"));
        };
        let keys = chain
            .provide_credentials()
            .await
            .map_err(|error| CallError::caused_by("no AWS credentials were found", &error))?;
        self.put(keys.clone());
        Ok(keys)
    }

    fn lasting(&self) -> Option<Keys> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = current.as_ref()?;
        let lasts = keys
            .expiry()
            .is_none_or(|end| SystemTime::now() + RENEWED_BEFORE_END < end);
        lasts.then(|| keys.clone())
    }

    fn put(&self, keys: Keys) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(keys);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    /// Gives keys that last for that long, and counts how often it is asked.
    #[derive(Debug)]
    struct Chain(Duration, Arc<AtomicUsize>);

    impl ProvideCredentials for Chain {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.1.fetch_add(1, Ordering::Relaxed);
            let end = SystemTime::now() + self.0;
            let keys = Keys::new("id", "secret", None, Some(end), "test");
            future::ProvideCredentials::ready(Ok(keys))
        }
    }

    #[tokio::test]
    async fn the_chain_is_asked_again_before_its_credentials_end() {
        for (lasts, asked) in [(Duration::from_hours(1), 1), (Duration::from_mins(4), 3)] {
            let count = Arc::new(AtomicUsize::new(0));
            let chain = SharedCredentialsProvider::new(Chain(lasts, Arc::clone(&count)));
            let credentials = Credentials::of_chain(Some(chain));
            for _ in 0..3 {
                credentials.keys().await.unwrap();
            }
            assert_eq!(count.load(Ordering::Relaxed), asked);
        }
    }

    #[tokio::test]
    async fn without_credentials_the_error_says_so() {
        let error = Credentials::of_chain(None).keys().await.unwrap_err();
        assert!(error.to_string().contains("no AWS credentials"));
    }
}
