//! What a run leads to.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

use super::{arena::Arena, carriers::Carried};
use crate::{
    services::Kind,
    verdict::{Backlog, MailLog, Verdict},
    wait::watch,
};

/// How often the ledger and the queues are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Without any progress for that long a run counts as ended. A message comes back after 30 s if
/// its worker was killed, an e-mail's lease ends after 60 s.
const PATIENCE: Duration = Duration::from_mins(3);

/// Longest time until all services have gone on, once a new server of the ledger can be reached.
const GOES_ON_WITHIN: Duration = Duration::from_secs(15);

/// E-mails that a send-mail-worker may have had in hand when it was killed, or when the mail
/// server's answers were lost: sent, and not yet marked so.
const IN_HAND: u64 = 32;

/// What became of the rows of a run, and when.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// From the first upload to the end.
    pub(super) taken: Duration,
    /// Where the ledger moved: from the moment at which its new server could be reached until each
    /// service had gone on.
    pub(super) went_on_after: Option<Duration>,
    /// The longest time from the kill of a carrier until another had its imports, where carriers
    /// were killed.
    pub(super) taken_over_after: Option<Duration>,
}

impl Outcome {
    /// Waits until every row has its outcome and the queues are empty, or until nothing moves any
    /// more; then stops the services and counts.
    pub(super) async fn of(mut arena: Arena, started: Instant) -> Result<Self> {
        let expected = arena.expected;
        let look = async || {
            arena.crew.check()?;
            // The queues first: a message is deleted after its bits are set.
            let backlog = Backlog::of(&arena.emulator, &arena.resources).await?;
            let counts = arena.counts().await.unwrap_or_default();
            let all = counts.rows == expected.rows && counts.is_complete();
            Ok(((backlog, counts), all && backlog.left == 0))
        };
        let (backlog, counts) = watch(POLL_INTERVAL, PATIENCE, look).await?.last();
        let taken = started.elapsed();
        let mut verdict = Verdict {
            expected,
            counts,
            backlog,
            may_be_mailed_twice: IN_HAND * (arena.crew.kills(Kind::Mail) + arena.post_cuts),
            ..Verdict::default()
        };
        verdict.note(goes_on_soon(arena.went_on_after));
        verdict.note(arena.crew.dismiss().await);
        let carried = Carried::of(arena.crew.logs(Kind::Importer))?;
        verdict.note(carried.each_epoch_has_one_carrier());
        let taken_over = carried.taken_over(&arena.lost_carriers);
        let taken_over_after = *taken_over.as_ref().unwrap_or(&None);
        verdict.note(taken_over.map(drop));
        match &arena.post {
            Some(post) => verdict.at_server = Some(post.figures()),
            None => verdict.logged = Some(MailLog::of(arena.crew.logs(Kind::Mail))?),
        }
        arena.ledger_host.stop().await;
        arena.emulator.stop().await;
        Ok(Self {
            verdict,
            taken,
            went_on_after: arena.went_on_after,
            taken_over_after,
        })
    }
}

fn goes_on_soon(after: Option<Duration>) -> Result<()> {
    match after {
        Some(after) if after > GOES_ON_WITHIN => bail!(
            "the services went on {:.1} s after the new server, at most {} are allowed",
            after.as_secs_f64(),
            GOES_ON_WITHIN.as_secs()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_go_on_late_is_a_problem() {
        assert!(goes_on_soon(None).is_ok());
        assert!(goes_on_soon(Some(GOES_ON_WITHIN)).is_ok());
        let late = GOES_ON_WITHIN + Duration::from_millis(100);
        assert!(goes_on_soon(Some(late)).is_err());
    }
}
