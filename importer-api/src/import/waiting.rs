use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::csv::Position;

/// The imports that wait for their turn to be sent, oldest first: their ids,
/// as there may be very many of them. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    imports: Mutex<Imports>,
    /// Wakes the one who gives turns.
    turn: Notify,
    /// Wakes the one who ends what was cancelled.
    cancelled: Notify,
    /// Wakes the one who makes imports known.
    unknown: Notify,
}

/// Ids sort by time.
#[derive(Debug, Default)]
struct Imports {
    waiting: BTreeMap<Uuid, Option<Position>>,
    cancelled: BTreeMap<Uuid, Option<Position>>,
    /// Those of `waiting` that the ledger may not know yet.
    unknown: BTreeSet<Uuid>,
}

/// An import whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) import_id: Uuid,
    /// Where sending goes on, if that is not where its checkpoint says.
    pub(super) from: Option<Position>,
}

impl From<(Uuid, Option<Position>)> for Turn {
    fn from((import_id, from): (Uuid, Option<Position>)) -> Self {
        Self { import_id, from }
    }
}

impl Waiting {
    /// Adds an import that the ledger knows.
    pub fn add(&self, import_id: Uuid) {
        self.put_back(Turn::from((import_id, None)));
    }

    /// Adds imports that the ledger may not know yet. It is told of them while
    /// they wait.
    pub fn add_unknown(&self, import_ids: impl IntoIterator<Item = Uuid>) {
        let mut imports = self.imports();
        for import_id in import_ids {
            imports.waiting.insert(import_id, None);
            imports.unknown.insert(import_id);
        }
        drop(imports);
        self.0.unknown.notify_one();
        self.0.turn.notify_one();
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.imports().waiting.len()
    }

    /// Those that wait and are known to the ledger.
    pub fn known(&self) -> Vec<Uuid> {
        let imports = self.imports();
        let ids = imports.waiting.keys().copied();
        ids.filter(|id| !imports.unknown.contains(id)).collect()
    }

    /// An import was cancelled. Where it waits here it loses its turn, and is
    /// ended at once.
    pub fn cancel(&self, import_id: Uuid) {
        let mut imports = self.imports();
        if let Some(from) = imports.waiting.remove(&import_id) {
            imports.unknown.remove(&import_id);
            imports.cancelled.insert(import_id, from);
            self.0.cancelled.notify_one();
        }
    }

    /// An import that could not be sent to its end waits for another turn.
    pub(super) fn put_back(&self, Turn { import_id, from }: Turn) {
        self.imports().waiting.insert(import_id, from);
        self.0.turn.notify_one();
    }

    /// The oldest import, once there is one. One caller at a time.
    pub(super) async fn next(&self) -> Turn {
        self.first(&self.0.turn, |imports| {
            let (import_id, from) = imports.waiting.pop_first()?;
            imports.unknown.remove(&import_id);
            Some(Turn { import_id, from })
        })
        .await
    }

    /// An import that was cancelled while it waited. One caller at a time.
    pub(super) async fn next_cancelled(&self) -> Turn {
        self.first(&self.0.cancelled, |imports| {
            imports.cancelled.pop_first().map(Turn::from)
        })
        .await
    }

    /// The oldest import that the ledger may not know, once there is one; it
    /// stays one until [`Waiting::is_known`]. One caller at a time.
    pub(crate) async fn next_unknown(&self) -> Uuid {
        self.first(&self.0.unknown, |imports| imports.unknown.first().copied())
            .await
    }

    /// The ledger knows an import.
    pub(super) fn is_known(&self, import_id: Uuid) {
        self.imports().unknown.remove(&import_id);
    }

    async fn first<T>(&self, more: &Notify, take: impl Fn(&mut Imports) -> Option<T>) -> T {
        loop {
            let taken = take(&mut self.imports());
            match taken {
                Some(taken) => return taken,
                None => more.notified().await,
            }
        }
    }

    fn imports(&self) -> MutexGuard<'_, Imports> {
        let imports = self.0.imports.lock();
        imports.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[tokio::test]
    async fn turns_come_by_age_however_they_were_added() {
        let waiting = Waiting::default();
        let position = Position { offset: 9, rows: 2 };
        waiting.add(id(3));
        waiting.add_unknown([id(4), id(2)]);
        waiting.put_back(Turn::from((id(1), Some(position))));
        assert_eq!(waiting.known(), [id(1), id(3)]);
        assert_eq!(waiting.next().await, Turn::from((id(1), Some(position))));
        for number in 2..=4 {
            assert_eq!(waiting.next().await, Turn::from((id(number), None)));
        }
        assert_eq!(waiting.count(), 0);
        assert!(waiting.next().now_or_never().is_none());
        assert!(waiting.next_unknown().now_or_never().is_none());
    }

    #[tokio::test]
    async fn what_is_cancelled_has_no_turn() {
        let waiting = Waiting::default();
        waiting.add_unknown([id(1), id(2)]);
        waiting.cancel(id(1));
        // Being sent, or another replica's.
        waiting.cancel(id(7));
        assert_eq!(waiting.next_cancelled().await, Turn::from((id(1), None)));
        assert!(waiting.next_cancelled().now_or_never().is_none());
        assert_eq!(waiting.next_unknown().await, id(2));
        waiting.is_known(id(2));
        assert_eq!(waiting.known(), [id(2)]);
        assert_eq!(waiting.next().await.import_id, id(2));
    }
}
