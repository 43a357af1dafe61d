use std::time::Duration;

use anyhow::Result;
use common::ledger::{ImportLedger, OutcomeCounts, SharedLedger};
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::{stack::DevStack, wait::watch};

/// Without any progress for that long an import counts as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Whether every row has its outcome, and every bill its notification and its e-mail. The bit of a
/// notification may come after that of its e-mail.
pub(crate) fn is_over(counts: &OutcomeCounts) -> bool {
    counts.rows > 0 && counts.is_complete() && counts.notified == counts.billed
}

/// Shows how far an import is until it is over. Looks at it once an interval, and hands on what it
/// saw.
pub(crate) async fn finished(
    stack: &mut DevStack,
    ledger: &SharedLedger,
    import_id: Uuid,
    interval: Duration,
    mut seen: impl FnMut(&OutcomeCounts),
) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows  {elapsed}  {msg}")?;
    let bar = ProgressBar::new(0).with_style(style);
    let look = async || {
        stack.check()?;
        let counts = ledger.outcome_counts(import_id).await?;
        seen(&counts);
        bar.set_length(counts.rows);
        bar.set_position(counts.mailed + counts.skipped + counts.invalid);
        bar.set_message(format!(
            "billed {}, mailed {}",
            counts.billed, counts.mailed
        ));
        Ok((counts, is_over(&counts)))
    };
    watch(interval, PATIENCE, look).await?.over()?;
    bar.finish_and_clear();
    Ok(())
}
