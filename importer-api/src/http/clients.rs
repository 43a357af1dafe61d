use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The clients that may do something that takes long, only so many at a time.
/// Cloning shares them.
#[derive(Clone, Debug)]
pub struct Clients(Arc<Semaphore>);

impl Clients {
    /// Those who follow imports. Each has a connection for as long as its import
    /// is open, so that they get a quarter of them all.
    pub fn followers() -> Self {
        Self::up_to(256)
    }

    /// Those who download the results of an import. Each has some megabytes of
    /// them in memory, for as long as it reads.
    pub fn downloads() -> Self {
        Self::up_to(8)
    }

    /// Those whose files are looked at. Each takes a core, and some 30 MB for a
    /// million rows.
    pub fn previews() -> Self {
        Self::up_to(4)
    }

    fn up_to(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// One more as soon as there is room, until it is dropped.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// One more, until it is dropped; `None` where there are enough.
    pub(super) fn add(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}
