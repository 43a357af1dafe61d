use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::contract::Notification;

use super::{Transport, TransportError};

/// Keeps the e-mails in memory, for tests. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct MemoryTransport {
    mails: Arc<Mutex<Vec<Notification>>>,
    failing_once: Arc<Mutex<HashSet<String>>>,
}

impl MemoryTransport {
    /// What was sent so far.
    pub fn mails(&self) -> Vec<Notification> {
        lock(&self.mails).clone()
    }

    /// Lets the next e-mail of that debt fail.
    pub fn fail_once(&self, debt_id: &str) {
        lock(&self.failing_once).insert(debt_id.to_owned());
    }
}

impl Transport for MemoryTransport {
    async fn send(&self, mails: &[&Notification]) -> Vec<Result<(), TransportError>> {
        let (mut kept, mut failing) = (lock(&self.mails), lock(&self.failing_once));
        let send = |mail: &&Notification| {
            if failing.remove(&mail.debt_id) {
                return Err(TransportError("told to fail".into()));
            }
            kept.push((*mail).clone());
            Ok(())
        };
        mails.iter().map(send).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
