//! Looks at imports, so that the ledger knows when each last moved and when it
//! came to its end, whether or not a client asks; and tells it which of them
//! wait for their turn to be sent.

use std::time::Duration;

use common::ledger::{ImportLedger, ImportState, ImportStatus, LedgerError};
use common::runtime::wait;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::ImporterMetrics;
use crate::import::Waiting;
use crate::metrics::ROW_STATES;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Time between telling the ledger that imports wait. Well below
/// [`STALLED_AFTER`](common::ledger::STALLED_AFTER).
const WAITING_TOLD: Duration = Duration::from_mins(1);
/// For so long a failure shows in the gauge of failed imports.
const FAILURE_SHOWN: Duration = Duration::from_hours(1);
/// Imports of which it is told in one call.
const IMPORTS_A_CALL: usize = 1_000;

/// Looks once a second until told to stop. `waiting` are the imports of this
/// process that wait for their turn; one that somebody has cancelled loses it.
pub async fn watch_progress<L: ImportLedger>(
    ledger: L,
    waiting: Waiting,
    metrics: ImporterMetrics,
    stop: CancellationToken,
) {
    let mut told = None;
    while wait(INTERVAL, &stop).await.is_ok() {
        metrics
            .waiting
            .set(i64::try_from(waiting.count()).unwrap_or(i64::MAX));
        if told.is_none_or(|told: Instant| told.elapsed() >= WAITING_TOLD) {
            match tell_waiting(&ledger, &waiting).await {
                Ok(()) => told = Some(Instant::now()),
                Err(error) => debug!(%error, "The ledger cannot be told what waits"),
            }
        }
        if let Err(error) = look(&ledger, &waiting, &metrics).await {
            debug!(%error, "The imports cannot be looked at");
        }
    }
}

/// Tells the ledger which imports wait for their turn, so that they do not
/// count as stalled.
async fn tell_waiting<L: ImportLedger>(ledger: &L, waiting: &Waiting) -> Result<(), LedgerError> {
    for imports in waiting.known().chunks(IMPORTS_A_CALL) {
        ledger.record_waiting(imports, Timestamp::now()).await?;
    }
    Ok(())
}

/// What a look found of the imports that are open.
struct Found {
    open: i64,
    stalled: i64,
    /// Those that wait for a mail server.
    put_off: i64,
    /// When the one of them last moved that has been still for longest.
    last_progress: Timestamp,
    /// Rows in each of [`ROW_STATES`].
    rows: [u64; ROW_STATES.len()],
}

impl Found {
    fn at(now: Timestamp) -> Self {
        Self {
            open: 0,
            stalled: 0,
            put_off: 0,
            last_progress: now,
            rows: [0; ROW_STATES.len()],
        }
    }

    fn add(&mut self, status: &ImportStatus, now: Timestamp) {
        let state = status.state(now);
        self.open += 1;
        if status.is_stalled(now) {
            self.stalled += 1;
        }
        if state == ImportState::Waiting {
            self.put_off += 1;
        }
        if !matches!(
            state,
            ImportState::Cancelled
                | ImportState::Abandoned
                | ImportState::Failed
                | ImportState::Waiting
        ) {
            self.last_progress = self.last_progress.min(status.still_since());
        }
        for (sum, rows) in self.rows.iter_mut().zip(rows_by_state(status)) {
            *sum += rows;
        }
    }

    fn show(&self, metrics: &ImporterMetrics) {
        metrics.open.set(self.open);
        metrics.stalled.set(self.stalled);
        metrics.put_off.set(self.put_off);
        metrics.last_progress.set(self.last_progress.as_second());
        for (state, rows) in ROW_STATES.into_iter().zip(self.rows) {
            let gauge = metrics.open_rows.with_label_values(&[state]);
            gauge.set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }
}

/// In the order of [`ROW_STATES`].
fn rows_by_state(status: &ImportStatus) -> [u64; ROW_STATES.len()] {
    let counts = &status.counts;
    [
        counts.rows,
        status.sent,
        counts.billed,
        counts.skipped,
        counts.invalid,
        counts.not_sent,
        counts.notified,
        counts.mailed,
        counts.undeliverable,
        status.put_off.rows,
    ]
}

/// Looks at an import, for a client or unasked, and counts its end where this
/// look is the one that recorded it. `None` if the import is not known.
///
/// # Errors
/// When the ledger does not answer.
pub async fn observe<L: ImportLedger>(
    ledger: &L,
    metrics: &ImporterMetrics,
    import_id: Uuid,
    now: Timestamp,
) -> Result<Option<ImportStatus>, LedgerError> {
    let Some(observed) = ledger.observe_import(import_id, now).await? else {
        return Ok(None);
    };
    let status = observed.status;
    if observed.newly_over {
        let state = status.state(now).name();
        metrics.ended.with_label_values(&[state]).inc();
        info!(%import_id, state, counts = ?status.counts, "Import finished");
    }
    Ok(Some(status))
}

async fn look<L: ImportLedger>(
    ledger: &L,
    waiting: &Waiting,
    metrics: &ImporterMetrics,
) -> Result<(), LedgerError> {
    let mut found = Found::at(Timestamp::now());
    for import_id in ledger.open_imports().await? {
        let now = Timestamp::now();
        let Some(status) = observe(ledger, metrics, import_id, now).await? else {
            continue;
        };
        let state = status.state(now);
        if matches!(state, ImportState::Cancelled | ImportState::Abandoned) {
            // Another replica may have been asked.
            waiting.cancel(import_id);
        }
        if !status.is_over() {
            found.add(&status, now);
        }
    }
    if found.stalled > metrics.stalled.get() {
        let stalled = found.stalled;
        warn!(stalled, "Imports make no progress; reconcile them");
    }
    found.show(metrics);
    let failed = ledger.failed_imports(Timestamp::now() - FAILURE_SHOWN);
    let failed = i64::try_from(failed.await?).unwrap_or(i64::MAX);
    metrics.failed_imports.set(failed);
    Ok(())
}
