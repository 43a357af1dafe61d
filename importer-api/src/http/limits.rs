//! What is looked at of an upload before a byte of its body is read.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;
use super::form::FormLimits;

/// How much is taken of how many clients.
#[derive(Clone, Copy, Debug)]
pub struct UploadSettings {
    /// Most bytes of a request.
    pub max_bytes: u64,
    /// Most data records of a file.
    pub max_rows: u64,
    /// Most uploads at a time.
    pub max_concurrent: usize,
    /// Longest wait for a client to send something.
    pub idle_timeout: Duration,
}

/// The limits of all uploads together. Cloning shares them.
#[derive(Clone, Debug)]
pub struct UploadLimits {
    settings: UploadSettings,
    slots: Arc<Semaphore>,
}

impl UploadLimits {
    /// Limits of which nothing is used yet.
    pub fn new(settings: UploadSettings) -> Self {
        Self {
            settings,
            slots: Arc::new(Semaphore::new(settings.max_concurrent)),
        }
    }

    /// Lets an upload begin, judging by the head of its request. It counts
    /// until the permit is dropped.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Problem> {
        if is_encoded(headers) {
            return Err(Problem::encoded());
        }
        if announced_bytes(headers).is_some_and(|bytes| bytes > self.settings.max_bytes) {
            return Err(Problem::too_large(self.settings.max_bytes));
        }
        let slots = Arc::clone(&self.slots);
        slots
            .try_acquire_owned()
            .map_err(|_| Problem::too_many_uploads())
    }

    /// Most data records of a file.
    pub(super) fn max_rows(&self) -> u64 {
        self.settings.max_rows
    }

    /// The limits of one form.
    pub(super) fn form(&self) -> FormLimits {
        FormLimits {
            bytes: self.settings.max_bytes,
            idle: self.settings.idle_timeout,
        }
    }
}

/// Compressed, so that a small body could be a large file.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| {
            !value
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"identity")
        })
}

/// What the client says the body's size is. The server has refused a request
/// in which this is no number.
fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}
