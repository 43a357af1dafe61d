use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// What those who take uploads tell those who send imports. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Imports that the ledger may not know yet; ids sort by time.
    unknown: Mutex<BTreeSet<Uuid>>,
    /// Wakes the one who makes them known.
    more: Notify,
    /// Wakes the one who takes imports.
    known: Notify,
}

impl Arrivals {
    /// The ledger knows an import that nobody carries yet.
    pub fn announce(&self) {
        self.0.known.notify_one();
    }

    /// Adds imports that the ledger may not know yet.
    pub fn add_unknown(&self, import_ids: impl IntoIterator<Item = Uuid>) {
        self.unknown().extend(import_ids);
        self.0.more.notify_one();
    }

    /// Waits for an import that the ledger knows. One caller at a time.
    pub(super) async fn announced(&self) {
        self.0.known.notified().await;
    }

    /// The oldest import that the ledger may not know, once there is one; it
    /// stays one until [`Arrivals::done_with`]. One caller at a time.
    pub(crate) async fn next_unknown(&self) -> Uuid {
        loop {
            let oldest = self.unknown().first().copied();
            match oldest {
                Some(import_id) => return import_id,
                None => self.0.more.notified().await,
            }
        }
    }

    /// The ledger was told of an import, or is told again later.
    pub(super) fn done_with(&self, import_id: Uuid) {
        self.unknown().remove(&import_id);
        self.announce();
    }

    fn unknown(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        let unknown = self.0.unknown.lock();
        unknown.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_the_ledger_does_not_know_comes_by_age_until_it_does() {
        let arrivals = Arrivals::default();
        assert!(arrivals.announced().now_or_never().is_none());
        arrivals.add_unknown([3, 2].map(Uuid::from_u128));
        for id in [2, 3].map(Uuid::from_u128) {
            for _ in 0..2 {
                assert_eq!(arrivals.next_unknown().await, id);
            }
            arrivals.done_with(id);
            arrivals.announced().await;
        }
        assert!(arrivals.next_unknown().now_or_never().is_none());
    }
}
