use std::time::{Duration, Instant};

use common::ledger::{ImportLedger, LedgerError, OutcomeCounts, RedisLedger};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time;
use uuid::Uuid;

use crate::stack::{DevStack, StackError};

/// Without any progress for that long the import counts as stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// The import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A service ended.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nothing moved any more.
    #[error("no progress for {} s; {_0:?}", STUCK_AFTER.as_secs())]
    Stuck(OutcomeCounts),
}

/// Shows how far the import is until it is complete. Looks at it once an interval, and hands on
/// what it saw.
pub(crate) async fn watch(
    stack: &mut DevStack,
    ledger: &RedisLedger,
    import_id: Uuid,
    interval: Duration,
    mut seen: impl FnMut(&OutcomeCounts),
) -> Result<OutcomeCounts, WatchError> {
    let bar = ProgressBar::new(0).with_style(style());
    let mut last = OutcomeCounts::default();
    let mut moved = Instant::now();
    loop {
        stack.check()?;
        let counts = ledger.outcome_counts(import_id).await?;
        seen(&counts);
        bar.set_length(counts.rows);
        bar.set_position(counts.mailed + counts.skipped + counts.invalid);
        bar.set_message(format!(
            "billed {}, mailed {}",
            counts.billed, counts.mailed
        ));
        if counts.rows > 0 && counts.is_complete() {
            bar.finish_and_clear();
            return Ok(counts);
        }
        if counts != last {
            (last, moved) = (counts, Instant::now());
        } else if moved.elapsed() > STUCK_AFTER {
            bar.abandon();
            return Err(WatchError::Stuck(counts));
        }
        time::sleep(interval).await;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} rows  {elapsed}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
