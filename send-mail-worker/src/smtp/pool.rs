//! At most so many connections. Idle ones are kept, and the one that was
//! used last is taken first, so that those that are not needed grow old.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;

/// A connection over which the server said nothing for longer is asked whether
/// it is still there: servers and routers drop idle ones without a word.
const FRESH: Duration = Duration::from_secs(30);
/// For how long there is less room when the server has enough connections,
/// times how much room that takes already: then it is tried again now and then.
const REST: Duration = Duration::from_secs(15);

/// Connections are opened only by who has room and finds none idle, hence
/// there are never more than there is room for.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
    /// Each room that rests listens to it.
    resting: Arc<Notify>,
}

/// The right to use one connection.
pub(super) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(super) fn new(connections: u32) -> Self {
        Self {
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(connections as usize)),
            resting: Arc::default(),
        }
    }

    /// Waits for room.
    pub(super) async fn room(&self) -> Room {
        // `None` only when the semaphore is closed, which nobody does.
        Room {
            _permit: Arc::clone(&self.room).acquire_owned().await.ok(),
        }
    }

    /// Whether there is no room now.
    pub(super) fn is_full(&self) -> bool {
        self.room.available_permits() == 0
    }

    /// Leaves a room unused for a while.
    pub(super) fn rest(&self, room: Room) {
        let resting = Arc::clone(&self.resting);
        let others = u32::try_from(Arc::strong_count(&resting) - 1).unwrap_or(u32::MAX);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(REST.saturating_mul(others)) => {}
                () = resting.notified() => {}
            }
            drop((room, resting));
        });
    }

    /// Uses all room again: that the server wants none of the connections is no
    /// sign that it wants fewer.
    pub(super) fn end_rests(&self) {
        self.resting.notify_waiters();
    }

    /// A connection that is there as far as anybody knows.
    pub(super) async fn idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.kept().pop()?;
            if connection.silence() > FRESH {
                connection.check().await;
            }
            if connection.is_usable() {
                return Some(connection);
            }
            // What took that one took those that are as old.
            self.kept().retain(|other| other.silence() <= FRESH);
        }
    }

    /// Gives a connection back, if it is still good for anything.
    pub(super) fn put_back(&self, room: Room, connection: Connection) {
        if connection.is_usable() {
            self.kept().push(connection);
        }
        // Only now may another one be opened.
        drop(room);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
