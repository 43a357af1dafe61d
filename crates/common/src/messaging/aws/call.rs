use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use super::credentials::Identities;
use super::metrics::OperationMetrics;
use crate::messaging::CallError;
use crate::messaging::refusal::blames_credentials;

/// What the calls of one client have in common: they are observed, their
/// errors are ours, and a refusal of the credentials has them asked for again.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    /// The endpoint, as errors name it.
    place: Arc<str>,
    identities: Identities,
    /// Of the operations whose calls are observed.
    metrics: Arc<[OperationMetrics]>,
}

impl Calls {
    pub(super) fn new(
        place: String,
        identities: Identities,
        metrics: Arc<[OperationMetrics]>,
    ) -> Self {
        Self {
            place: place.into(),
            identities,
            metrics,
        }
    }

    /// Makes a call, whose attempts are the SDK's.
    ///
    /// # Errors
    /// When no attempt was answered, or the service refused the call.
    pub(super) async fn make<T, E>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let begun = Instant::now();
        // The SDK's futures are of many kilobytes, which each caller would move.
        let answer = Box::pin(call).await.map_err(|error| self.error(&error));
        let mut metrics = self.metrics.iter();
        if let Some(metrics) = metrics.find(|metrics| metrics.operation == operation) {
            metrics.observe(begun.elapsed(), answer.is_ok());
        }
        answer
    }

    fn error<E>(&self, error: &SdkError<E>) -> CallError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let SdkError::ServiceError(refusal) = error else {
            return CallError::caused_by(&self.place, error);
        };
        let Some(code) = refusal.err().code() else {
            let status = refusal.raw().status();
            return CallError::new(format!("{} answered {status}", self.place));
        };
        if blames_credentials(code) {
            self.identities.forget();
        }
        CallError::with_code(code, refusal.err().message().unwrap_or("no message"))
    }
}
