//! Work on a thread that may wait for the disk.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Threads that uploads have at a time.
const UPLOAD_THREADS: usize = 4;

/// Does the work on such a thread, so that the one that answers requests
/// never waits for the disk.
///
/// # Errors
/// What the work gives, or that it panicked or the process is ending.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// The threads of the uploads. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct UploadThreads {
    threads: Arc<Semaphore>,
    /// Held by the one that works.
    turn: Arc<Mutex<()>>,
}

impl Default for UploadThreads {
    fn default() -> Self {
        Self {
            threads: Arc::new(Semaphore::new(UPLOAD_THREADS)),
            turn: Arc::default(),
        }
    }
}

impl UploadThreads {
    /// Works on pieces of an upload. A few uploads have a thread at a time,
    /// however many come in, and one of them works: that leaves a core to the
    /// thread that answers requests, and the next one need not be woken by
    /// that.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        // The semaphore is never closed.
        let thread = Arc::clone(&self.threads).acquire_owned().await.ok();
        let turn = Arc::clone(&self.turn);
        blocking(move || {
            let _thread = thread;
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(work())
        })
        .await
    }
}
