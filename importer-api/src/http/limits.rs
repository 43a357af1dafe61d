//! How much is taken of how many uploads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};

use super::Problem;
use super::form::FormLimits;
use super::pace::Pace;

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
    /// The uploads whose files come in.
    coming: Arc<Mutex<Vec<Pace>>>,
}

/// An upload is one of those at a time until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    limits: UploadLimits,
    pace: Pace,
}

impl UploadLimits {
    /// Limits of which nothing is used yet.
    pub fn new(settings: UploadSettings) -> Self {
        Self {
            settings,
            coming: Arc::default(),
        }
    }

    /// Judges an upload by the head of its request, before a byte of its body
    /// is read.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if is_encoded(headers) {
            return Err(Problem::encoded());
        }
        if announced_bytes(headers).is_some_and(|bytes| bytes > self.settings.max_bytes) {
            return Err(Problem::too_large(self.settings.max_bytes));
        }
        self.room(&self.coming()).map(|_| ())
    }

    /// A slot for an upload whose file begins. Where there is none, the
    /// slowest of the others has to go if it is slow enough.
    pub(super) fn begin(&self, pace: &Pace) -> Result<Slot, Problem> {
        let mut coming = self.coming();
        if let Some(slowest) = self.room(&coming)? {
            coming.swap_remove(slowest).give_up();
        }
        coming.push(pace.clone());
        Ok(Slot {
            limits: self.clone(),
            pace: pace.clone(),
        })
    }

    /// Whether there is room for one more, and which one has to go for it.
    fn room(&self, coming: &[Pace]) -> Result<Option<usize>, Problem> {
        if coming.len() < self.settings.max_concurrent {
            return Ok(None);
        }
        let paces = coming.iter().enumerate();
        let slowest = paces.max_by_key(|(_, pace)| pace.behind());
        match slowest {
            Some((index, pace)) if pace.gives_way() => Ok(Some(index)),
            _ => Err(Problem::too_many_uploads()),
        }
    }

    fn coming(&self) -> MutexGuard<'_, Vec<Pace>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most data records of a file.
    pub(super) fn max_rows(&self) -> u64 {
        self.settings.max_rows
    }

    /// Most bytes of a request.
    pub(super) fn max_bytes(&self) -> u64 {
        self.settings.max_bytes
    }

    /// The limits of one form, which begins to come in now.
    pub(super) fn form(&self) -> FormLimits {
        FormLimits {
            bytes: self.settings.max_bytes,
            pace: Pace::new(self.settings.idle_timeout),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limits.coming().retain(|pace| !pace.is(&self.pace));
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
