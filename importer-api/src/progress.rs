//! Looks at the imports that are not at their end, so that the ledger knows
//! when each last moved and when it came to its end, whether or not a client
//! asks.

use std::time::Duration;

use common::ledger::{ImportLedger, ImportState, LedgerError};
use common::outage::wait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::ImporterMetrics;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks once a second until told to stop.
pub async fn watch_progress<L: ImportLedger>(
    ledger: L,
    metrics: ImporterMetrics,
    stop: CancellationToken,
) {
    while wait(INTERVAL, &stop).await.is_ok() {
        if let Err(error) = look(&ledger, &metrics).await {
            debug!(%error, "The imports cannot be looked at");
        }
    }
}

async fn look<L: ImportLedger>(ledger: &L, metrics: &ImporterMetrics) -> Result<(), LedgerError> {
    let (mut open, mut stalled) = (0, 0);
    for import_id in ledger.open_imports().await? {
        let now = Timestamp::now();
        let Some(status) = ledger.observe_import(import_id, now).await? else {
            continue;
        };
        let state = status.state(now);
        if status.is_over() {
            info!(%import_id, state = state.name(), counts = ?status.counts, "Import is at its end");
            continue;
        }
        open += 1;
        if state == ImportState::Stalled {
            stalled += 1;
        }
    }
    if stalled > metrics.stalled.get() {
        warn!(stalled, "Imports make no progress; reconcile them");
    }
    metrics.open.set(open);
    metrics.stalled.set(stalled);
    Ok(())
}
