//! At most so many connections. Idle ones are kept, and the one that was
//! used last is taken first, so that those that are not needed grow old.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::Connection;

/// A connection over which the server said nothing for longer is asked whether
/// it is still there: servers and routers drop idle ones without a word.
const FRESH: Duration = Duration::from_secs(30);

/// Connections are opened only by who has room and finds none idle, hence
/// there are never more than there is room for.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    room: Semaphore,
}

/// The right to use one connection.
pub(super) struct Room<'a> {
    pool: &'a Pool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Pool {
    pub(super) fn new(connections: u32) -> Self {
        Self {
            idle: Mutex::default(),
            room: Semaphore::new(connections as usize),
        }
    }

    /// Waits for room.
    pub(super) async fn room(&self) -> Room<'_> {
        Room {
            pool: self,
            // `None` only when the semaphore is closed, which nobody does.
            _permit: self.room.acquire().await.ok(),
        }
    }

    /// Whether there is no room now.
    pub(super) fn is_full(&self) -> bool {
        self.room.available_permits() == 0
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
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    /// Gives a connection back, if it is still good for anything.
    pub(super) fn put_back(self, connection: Connection) {
        if connection.is_usable() {
            self.pool.kept().push(connection);
        }
    }
}
