use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::ledger::{CarrierLedger, ImportLease};
use common::runtime::wait;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use uuid::Uuid;

/// How long an import is this replica's without a renewal.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Time between two renewals.
const RENEWAL: Duration = Duration::from_secs(10);
/// Time to the next one where the ledger did not answer.
const RETRY: Duration = Duration::from_secs(2);

/// The imports that this replica carries.
#[derive(Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<Uuid, (ImportLease, CancellationToken)>>>);

/// One of them; dropping it ends the renewals.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: ImportLease,
    /// Cancelled when somebody else has taken the import.
    pub(super) lost: CancellationToken,
    all: Leases,
}

impl Leases {
    /// Holds a lease from now on.
    pub(super) fn hold(&self, lease: ImportLease) -> Held {
        let lost = CancellationToken::new();
        self.all().insert(lease.import_id, (lease, lost.clone()));
        Held {
            lease,
            lost,
            all: Self(Arc::clone(&self.0)),
        }
    }

    /// Renews them again and again, until told to stop.
    pub(super) async fn renew(&self, ledger: &impl CarrierLedger, stop: &CancellationToken) {
        let mut pause = RENEWAL;
        while wait(pause, stop).await.is_ok() {
            let leases: Vec<ImportLease> = self.all().values().map(|(lease, _)| *lease).collect();
            if leases.is_empty() {
                continue;
            }
            match ledger.renew_imports(&leases, LEASE).await {
                Ok(held) => {
                    pause = RENEWAL;
                    let lost = leases.iter().zip(held).filter(|(_, held)| !held);
                    lost.for_each(|(lease, _)| self.lose(lease));
                }
                Err(error) => {
                    pause = RETRY;
                    debug!(%error, "The leases of imports were not renewed");
                }
            }
        }
    }

    fn lose(&self, lost: &ImportLease) {
        // It may have come to its end meanwhile.
        if let Some((lease, token)) = self.all().get(&lost.import_id)
            && lease == lost
        {
            warn!(import_id = %lease.import_id, epoch = lease.epoch, "Another replica carries the import");
            token.cancel();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, (ImportLease, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.all.all();
        // This replica may have taken it again.
        if all
            .get(&self.lease.import_id)
            .is_some_and(|(lease, _)| *lease == self.lease)
        {
            all.remove(&self.lease.import_id);
        }
    }
}
