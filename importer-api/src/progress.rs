//! Looks at imports, so that the ledger knows when each last moved and when it
//! came to its end, whether or not a client asks; and tells it which of them
//! wait for their turn to be sent where their files are.

use std::time::Duration;

use common::ledger::{CarrierLedger, ImportLedger, ImportState, ImportStatus, LedgerError};
use common::runtime::wait;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::ImporterMetrics;
use crate::metrics::ROW_STATES;

/// Least time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// So many times as long as a look takes is the time to the next one, as every
/// replica looks at all imports.
const LOOKS_APART: u32 = 4;

/// Time between telling the ledger that imports wait. Well below
/// [`UNCARRIED_AFTER`](common::ledger::UNCARRIED_AFTER).
const WAITING_TOLD: Duration = Duration::from_secs(30);
/// For so long a failure shows in the gauge of failed imports.
const FAILURE_SHOWN: Duration = Duration::from_hours(1);
/// Imports of which it is told in one call.
const IMPORTS_A_CALL: usize = 1_000;

/// Looks once a second, or less often where there is much to look at, until
/// told to stop. `spool` is the name of that of this process.
pub async fn watch_progress<L: ImportLedger + CarrierLedger>(
    ledger: L,
    spool: String,
    metrics: ImporterMetrics,
    stop: CancellationToken,
) {
    let (mut told, mut pause) = (None, INTERVAL);
    while wait(pause, &stop).await.is_ok() {
        let begun = Instant::now();
        if told.is_none_or(|told: Instant| told.elapsed() >= WAITING_TOLD) {
            match tell_waiting(&ledger, &spool).await {
                Ok(()) => told = Some(Instant::now()),
                Err(error) => debug!(%error, "The ledger cannot be told what waits"),
            }
        }
        if let Err(error) = look(&ledger, &metrics).await {
            debug!(%error, "The imports cannot be looked at");
        }
        pause = INTERVAL.max(begun.elapsed() * LOOKS_APART);
    }
}

/// Tells the ledger which imports wait for their turn, so that they do not
/// count as stalled, nor as ones that nobody can carry.
async fn tell_waiting<L: ImportLedger + CarrierLedger>(
    ledger: &L,
    spool: &str,
) -> Result<(), LedgerError> {
    let waiting = ledger.uncarried_imports(spool).await?;
    for imports in waiting.chunks(IMPORTS_A_CALL) {
        ledger.record_waiting(imports, Timestamp::now()).await?;
    }
    Ok(())
}

/// What a look found of the imports that are open.
struct Found {
    open: i64,
    /// Those that nobody sends at the moment.
    waiting: i64,
    /// Those of them that nobody has said to be waiting for a while.
    uncarried: i64,
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
            waiting: 0,
            uncarried: 0,
            stalled: 0,
            put_off: 0,
            last_progress: now,
            rows: [0; ROW_STATES.len()],
        }
    }

    fn add(&mut self, status: &ImportStatus, now: Timestamp) {
        let state = status.state(now);
        self.open += 1;
        let is_carried = status.carried_until.is_some_and(|until| until > now);
        if status.sent_at.is_none() && !is_carried {
            self.waiting += 1;
        }
        if status.is_uncarried(now) {
            self.uncarried += 1;
        }
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
        metrics.waiting.set(self.waiting);
        metrics.uncarried.set(self.uncarried);
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

async fn look<L: ImportLedger>(ledger: &L, metrics: &ImporterMetrics) -> Result<(), LedgerError> {
    let mut found = Found::at(Timestamp::now());
    for import_id in ledger.open_imports().await? {
        let now = Timestamp::now();
        let Some(status) = observe(ledger, metrics, import_id, now).await? else {
            continue;
        };
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
