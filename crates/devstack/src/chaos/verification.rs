//! What became of the rows of a run.

use std::time::Duration;

use common::ledger::OutcomeCounts;
use tokio::time::{self, Instant};

use super::{
    ChaosError,
    arena::{Arena, Expected},
    crew::Kind,
    failed,
};
use crate::mail_log::MailLog;

/// How often the ledger and the queues are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Without any progress for that long a run counts as ended. A message comes back after 30 s if
/// its worker was killed, an e-mail's lease ends after 60 s.
const STUCK_AFTER: Duration = Duration::from_mins(3);

/// Longest time until all services have gone on, once a new master of Redis can be reached.
const GOES_ON_WITHIN: Duration = Duration::from_secs(15);

/// E-mails that a send-mail-worker may have had in hand when it was killed, or when the mail
/// server's answers were lost: sent, and not yet marked so.
const IN_HAND: u64 = 32;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) rows: u64,
    /// Rows without an outcome, and bills without an e-mail.
    pub(super) lost: u64,
    /// Bills beyond one for each debt.
    pub(super) billed_twice: u64,
    /// E-mails beyond one for each debt.
    pub(super) mailed_twice: u64,
    /// As many as the kills of send-mail-worker and cuts of the way to the mail server may cause.
    pub(super) may_be_mailed_twice: u64,
    /// Messages in the work queues.
    pub(super) left: u64,
    /// Messages in the dead-letter queues.
    pub(super) dead: u64,
    /// Services that did not end with exit code 0 when they were told to stop.
    pub(super) unclean: Vec<&'static str>,
    /// From the first upload to the end.
    pub(super) taken: Duration,
    /// Where Redis moved: from the moment at which the new master could be reached until each
    /// service had gone on.
    pub(super) went_on_after: Option<Duration>,
}

/// What a run has left behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    counts: OutcomeCounts,
    left: u64,
    dead: u64,
}

/// Waits until every row has its outcome and the queues are empty, or until nothing moves any
/// more; then stops the services and counts.
pub(super) async fn verify(mut arena: Arena, started: Instant) -> Result<Figures, ChaosError> {
    let standing = settled(&mut arena).await?;
    let taken = started.elapsed();
    let unclean = arena.crew.dismiss().await;
    let sent = sent(&arena)?;
    let figures = Figures {
        may_be_mailed_twice: IN_HAND * (arena.crew.kills(Kind::Mail) + arena.post_cuts),
        unclean,
        taken,
        went_on_after: arena.went_on_after,
        ..figures(arena.expected, standing, sent)
    };
    arena.redis.stop().await;
    arena.emulator.stop().await;
    Ok(figures)
}

/// E-mails that have left.
#[derive(Debug, Clone, Copy)]
struct Sent {
    mails: u64,
    /// The debts that they are for.
    debts: u64,
}

/// By the mail server where there is one: a killed worker has no line for its last e-mails.
fn sent(arena: &Arena) -> Result<Sent, ChaosError> {
    if let Some(post) = &arena.post {
        let taken = post.figures();
        return Ok(Sent {
            mails: taken.messages,
            debts: taken.message_ids,
        });
    }
    let mut log = MailLog::default();
    for path in arena.crew.logs(Kind::Mail) {
        log.read(path)
            .map_err(failed(format!("cannot read `{}`", path.display())))?;
    }
    Ok(Sent {
        mails: log.lines(),
        debts: log.debts(),
    })
}

async fn settled(arena: &mut Arena) -> Result<Standing, ChaosError> {
    let mut last = Standing::default();
    let mut moved = Instant::now();
    loop {
        arena.crew.check()?;
        let standing = standing(arena).await?;
        let counts = standing.counts;
        if counts.rows == arena.expected.rows && counts.is_complete() && standing.left == 0 {
            return Ok(standing);
        }
        if standing != last {
            (last, moved) = (standing, Instant::now());
        } else if moved.elapsed() > STUCK_AFTER {
            return Ok(standing);
        }
        time::sleep(POLL_INTERVAL).await;
    }
}

async fn standing(arena: &Arena) -> Result<Standing, ChaosError> {
    let resources = &arena.resources;
    let depth = async |queue| arena.emulator.queue_depth(queue).await;
    Ok(Standing {
        counts: arena.counts().await.unwrap_or_default(),
        left: depth(&resources.data_process_url).await?.total()
            + depth(&resources.process_email_url).await?.total(),
        dead: depth(&resources.data_process_dlq_url).await?.total()
            + depth(&resources.process_email_dlq_url).await?.total(),
    })
}

fn figures(expected: Expected, standing: Standing, sent: Sent) -> Figures {
    let Standing { counts, left, dead } = standing;
    let outcomes = counts.billed + counts.skipped + counts.invalid;
    let without_outcome = expected.rows.saturating_sub(outcomes);
    // By the ledger, and by what was really sent.
    let without_mail = counts.billed.saturating_sub(counts.mailed);
    let without_mail = without_mail.max(expected.debts.saturating_sub(sent.debts));
    Figures {
        rows: expected.rows,
        lost: without_outcome + without_mail,
        // Each debt has an e-mail and so a bill, or it is among the lost: what is more than one
        // bill for each is a second one.
        billed_twice: counts.billed.saturating_sub(expected.debts),
        mailed_twice: sent.mails - sent.debts,
        may_be_mailed_twice: 0,
        left,
        dead,
        unclean: Vec::new(),
        taken: Duration::ZERO,
        went_on_after: None,
    }
}

impl Figures {
    /// What is not as it must be, in words.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = [
            ("rows or e-mails lost", self.lost, 0),
            ("debts billed twice", self.billed_twice, 0),
            (
                "debts mailed twice",
                self.mailed_twice,
                self.may_be_mailed_twice,
            ),
            ("messages left in the queues", self.left, 0),
            ("dead letters", self.dead, 0),
        ]
        .into_iter()
        .filter(|(_, found, most)| found > most)
        .map(|(what, found, most)| format!("{found} {what}, at most {most} are allowed"))
        .collect();
        if let Some(after) = self.went_on_after.filter(|after| *after > GOES_ON_WITHIN) {
            problems.push(format!(
                "the services went on {:.1} s after the new master, at most {} are allowed",
                after.as_secs_f64(),
                GOES_ON_WITHIN.as_secs()
            ));
        }
        if !self.unclean.is_empty() {
            let names = self.unclean.join(", ");
            problems.push(format!("did not end with exit code 0: {names}"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { rows: 10, debts: 7 };

    fn standing() -> Standing {
        Standing {
            counts: OutcomeCounts {
                rows: 10,
                billed: 7,
                skipped: 2,
                invalid: 1,
                notified: 7,
                mailed: 7,
                ..OutcomeCounts::default()
            },
            left: 0,
            dead: 0,
        }
    }

    fn sent(mails: u64, debts: u64) -> Sent {
        Sent { mails, debts }
    }

    #[test]
    fn a_run_without_a_flaw_has_no_problems() {
        let figures = figures(EXPECTED, standing(), sent(7, 7));

        assert_eq!(figures.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_an_outcome_and_a_bill_without_an_email_are_lost() {
        let mut standing = standing();
        standing.counts.skipped -= 1;

        let figures = figures(EXPECTED, standing, sent(6, 6));

        assert_eq!(figures.lost, 2);
        assert_eq!(figures.problems().len(), 1);
    }

    #[test]
    fn more_bills_than_debts_are_second_ones() {
        let mut standing = standing();
        standing.counts.billed += 1;
        standing.counts.mailed += 1;
        standing.counts.skipped -= 1;

        let figures = figures(EXPECTED, standing, sent(7, 7));

        assert_eq!((figures.lost, figures.billed_twice), (0, 1));
    }

    #[test]
    fn repeated_emails_are_allowed_up_to_what_the_kills_may_cause() {
        let mut figures = figures(EXPECTED, standing(), sent(8, 7));
        assert_eq!(figures.mailed_twice, 1);
        assert_eq!(figures.problems().len(), 1);

        figures.may_be_mailed_twice = 1;

        assert!(figures.problems().is_empty());
    }

    #[test]
    fn to_go_on_late_is_a_problem() {
        let mut figures = figures(EXPECTED, standing(), sent(7, 7));
        figures.went_on_after = Some(GOES_ON_WITHIN);
        assert!(figures.problems().is_empty());

        figures.went_on_after = Some(GOES_ON_WITHIN + Duration::from_millis(100));

        assert_eq!(figures.problems().len(), 1);
    }

    #[test]
    fn what_is_left_in_any_queue_is_a_problem() {
        let standing = Standing {
            left: 1,
            dead: 2,
            ..standing()
        };

        let figures = figures(EXPECTED, standing, sent(7, 7));

        assert_eq!(figures.problems().len(), 2);
    }
}
