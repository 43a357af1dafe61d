//! Which connections stay open where more come than a process takes.
//!
//! What a connection will ask for is known once its request is read. So every
//! connection is accepted, as a guest, and only one that asks for more than
//! `/health`, `/ready` and `/metrics` needs one of the places. Guests are few,
//! and the next one is let in for one that leaves: however many connections
//! say nothing, or have taken all places, the three routes are answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tracing::warn;

/// What a connection has of the process. Each request carries that of its
/// connection as an extension; a route that may keep a connection busy takes
/// the place first. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Place {
    free: Arc<Semaphore>,
    taken: Arc<OnceLock<OwnedSemaphorePermit>>,
    has_asked: Arc<AtomicBool>,
}

impl Place {
    pub(super) fn among(free: &Arc<Semaphore>) -> Self {
        Self {
            free: Arc::clone(free),
            taken: Arc::default(),
            has_asked: Arc::default(),
        }
    }

    /// Takes one of the places, which the connection has until it closes.
    /// False where none is left: the request is to be refused.
    pub fn take(&self) -> bool {
        if self.is_taken() {
            return true;
        }
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            return false;
        };
        // Requests of a connection come one after the other.
        let _ = self.taken.set(permit);
        if self.none_is_left() {
            warn!(
                "All connections are taken; further clients get only /health, /ready and /metrics"
            );
        }
        true
    }

    /// Whether the next one that asks for a place gets none.
    pub(super) fn none_is_left(&self) -> bool {
        self.free.available_permits() == 0
    }

    pub(super) fn note_request(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    fn is_taken(&self) -> bool {
        self.taken.get().is_some()
    }
}

/// The connections without a place, longest there first.
pub(super) struct Guests {
    most: usize,
    open: VecDeque<(Place, AbortHandle)>,
}

impl Guests {
    pub(super) fn up_to(most: usize) -> Self {
        Self {
            most,
            open: VecDeque::with_capacity(most),
        }
    }

    /// Lets a connection in. Where there is no room one is closed for it: the
    /// one that has been silent for longest, or else been there for longest.
    pub(super) fn let_in(&mut self, place: Place, connection: AbortHandle) {
        if self.open.len() >= self.most {
            self.open
                .retain(|(place, open)| !place.is_taken() && !open.is_finished());
        }
        if self.open.len() >= self.most {
            let silent = self.open.iter().position(|(place, _)| !place.has_asked());
            if let Some((_, leaving)) = self.open.remove(silent.unwrap_or(0)) {
                leaving.abort();
            }
        }
        self.open.push_back((place, connection));
    }
}
