//! File work on a thread that may wait for the disk.

use std::io;

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
