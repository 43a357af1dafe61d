//! What became of the rows of a run; looked at after its clock has stopped.

use std::{path::Path, time::Duration};

use common::ledger::{Audit, RedisLedger};
use serde::{Deserialize, Serialize};
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{BenchError, failed};
use crate::{
    import::{Boletos, Expected},
    mail_log::MailLog,
    stack::{DevStack, StackError},
};
use emulators::emulator::QueueDepth;

/// Longest wait for the workers to delete the messages that they have handled.
const EMPTY_DEADLINE: Duration = Duration::from_secs(10);

/// How often the queues are looked at meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What became of the rows of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Rows that the ledger knows.
    pub rows: u64,
    /// Rows that billed their debt.
    pub billed: u64,
    /// Rows whose debt another row billed.
    pub skipped: u64,
    /// Rows that could not be billed.
    pub invalid: u64,
    /// Billed rows whose e-mail was sent.
    pub mailed: u64,
    /// Rows of the file without an outcome, and debts of it without an e-mail.
    pub lost: u64,
    /// Bills beyond one for each debt of the file.
    pub billed_twice: u64,
    /// E-mails beyond one for each debt.
    pub mailed_twice: u64,
    /// Debts of the file without a valid boleto, or with the number of another one.
    pub boletos_off: u64,
    /// Laws of the ledger that rows break, with how many.
    pub laws_broken: Vec<String>,
    /// Messages left in the work queues.
    pub left: u64,
    /// Dead letters.
    pub dead: u64,
    /// Services that did not end with exit code 0 when they were told to stop.
    pub unclean: Vec<String>,
}

/// What the file must give, and what was found of it.
#[derive(Debug, Clone, Copy)]
struct Found {
    expected: Expected,
    boletos: Boletos,
    mail_lines: u64,
    mailed_debts: u64,
}

impl Findings {
    /// Looks at the file, the ledger, each boleto and the queues; then stops the stack and looks at
    /// the logs.
    pub(super) async fn of(
        stack: DevStack,
        ledger: &RedisLedger,
        import_id: Uuid,
        input: &Path,
    ) -> Result<Self, BenchError> {
        let (expected, debts) = Expected::of_file(input).map_err(failed("cannot read the file"))?;
        let audit = Audit::of(ledger, import_id).await?;
        let boletos = Boletos::of(ledger, &debts).await?;
        let (left, dead) = queues(&stack).await?;
        let mut mails = MailLog::default();
        let services = stack.services().iter();
        let logs: Vec<_> = services
            .filter(|service| service.name() == "send-mail-worker")
            .filter_map(|service| service.log().map(Path::to_owned))
            .collect();
        let unclean = stack.stop().await;
        for log in logs {
            mails.read(&log).map_err(failed("cannot read a log"))?;
        }
        let found = Found {
            expected,
            boletos,
            mail_lines: mails.lines(),
            mailed_debts: mails.debts(),
        };
        Ok(Self {
            left,
            dead,
            unclean: unclean.into_iter().map(str::to_owned).collect(),
            ..Self::add_up(audit.as_ref(), found)
        })
    }

    fn add_up(audit: Option<&Audit>, found: Found) -> Self {
        let Found {
            expected,
            boletos,
            mail_lines,
            mailed_debts,
        } = found;
        let counts = audit.map(|audit| audit.counts).unwrap_or_default();
        // By the ledger, and by what was really sent.
        let without_mail = counts.billed.saturating_sub(counts.mailed);
        let without_mail = without_mail.max(expected.billed.saturating_sub(mailed_debts));
        let broken = audit.into_iter().flat_map(|audit| &audit.laws);
        Self {
            rows: counts.rows,
            billed: counts.billed,
            skipped: counts.skipped,
            invalid: counts.invalid,
            mailed: counts.mailed,
            lost: expected.rows.saturating_sub(counts.ended()) + without_mail,
            billed_twice: counts.billed.saturating_sub(expected.billed),
            mailed_twice: mail_lines - mailed_debts,
            boletos_off: expected.billed - boletos.numbers.min(boletos.valid),
            laws_broken: broken
                .filter(|breach| breach.count > 0)
                .map(|breach| format!("{}: not for {} rows", breach.law, breach.count))
                .collect(),
            ..Self::default()
        }
    }

    /// What is not as it must be, in words.
    pub fn problems(&self) -> Vec<String> {
        let counts = [
            ("rows or e-mails lost", self.lost),
            ("debts billed twice", self.billed_twice),
            ("debts mailed twice", self.mailed_twice),
            (
                "boletos not valid or without a number of their own",
                self.boletos_off,
            ),
            ("messages left in the queues", self.left),
            ("dead letters", self.dead),
        ];
        let mut problems: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        problems.extend(self.laws_broken.iter().cloned());
        if !self.unclean.is_empty() {
            let names = self.unclean.join(", ");
            problems.push(format!("did not end with exit code 0: {names}"));
        }
        problems
    }
}

/// Messages in the work queues, once the workers had time to delete them; and dead letters.
async fn queues(stack: &DevStack) -> Result<(u64, u64), BenchError> {
    let resources = stack.resources();
    let sum = async |queues: [&String; 2]| {
        let mut sum = 0;
        for queue in queues {
            let depth = stack.emulator().queue_depth(queue).await;
            sum += depth.map_err(StackError::from).map(QueueDepth::total)?;
        }
        Ok::<_, BenchError>(sum)
    };
    let deadline = Instant::now() + EMPTY_DEADLINE;
    let left = loop {
        let left = sum([&resources.data_process_url, &resources.process_email_url]).await?;
        if left == 0 || Instant::now() >= deadline {
            break left;
        }
        time::sleep(POLL_INTERVAL).await;
    };
    let dead = sum([
        &resources.data_process_dlq_url,
        &resources.process_email_dlq_url,
    ]);
    Ok((left, dead.await?))
}

#[cfg(test)]
mod tests {
    use common::ledger::{Breach, Law, OutcomeCounts, PutOffRows};

    use super::*;

    fn audit() -> Audit {
        Audit {
            import_id: Uuid::nil(),
            counts: OutcomeCounts {
                rows: 10,
                billed: 7,
                skipped: 2,
                invalid: 1,
                notified: 7,
                mailed: 7,
                ..OutcomeCounts::default()
            },
            put_off: PutOffRows::default(),
            laws: Vec::new(),
        }
    }

    fn found() -> Found {
        Found {
            expected: Expected {
                rows: 10,
                billed: 7,
                skipped: 2,
                invalid: 1,
            },
            boletos: Boletos {
                numbers: 7,
                valid: 7,
            },
            mail_lines: 7,
            mailed_debts: 7,
        }
    }

    #[test]
    fn a_run_without_a_flaw_has_no_problems() {
        let findings = Findings::add_up(Some(&audit()), found());

        assert_eq!(findings.problems(), Vec::<String>::new());
        assert_eq!((findings.rows, findings.mailed), (10, 7));
    }

    #[test]
    fn an_import_that_nobody_knows_is_lost() {
        let findings = Findings::add_up(None, found());

        assert_eq!(findings.lost, 10);
    }

    #[test]
    fn each_flaw_is_a_problem_of_its_own() {
        let mut lost = audit();
        lost.counts.skipped -= 1;
        let mut billed_twice = audit();
        billed_twice.counts.billed += 1;
        billed_twice.counts.mailed += 1;
        let mut broken = audit();
        broken.laws.push(Breach {
            law: Law::EndedOnce,
            count: 2,
            rows: vec![1, 2],
        });
        let with = |change: fn(&mut Found)| {
            let mut found = found();
            change(&mut found);
            Findings::add_up(Some(&audit()), found)
        };
        let plain = || Findings::add_up(Some(&audit()), found());
        for (findings, expected) in [
            (
                Findings::add_up(Some(&lost), found()),
                "1 rows or e-mails lost",
            ),
            (
                Findings::add_up(Some(&billed_twice), found()),
                "1 debts billed twice",
            ),
            (
                Findings::add_up(Some(&broken), found()),
                "no row has two outcomes: not for 2 rows",
            ),
            (with(|found| found.mail_lines += 1), "1 debts mailed twice"),
            (
                with(|found| found.boletos.valid -= 1),
                "1 boletos not valid or without a number of their own",
            ),
            (
                with(|found| found.boletos.numbers -= 2),
                "2 boletos not valid or without a number of their own",
            ),
            (
                Findings { left: 3, ..plain() },
                "3 messages left in the queues",
            ),
            (Findings { dead: 1, ..plain() }, "1 dead letters"),
            (
                Findings {
                    unclean: vec!["billing-worker".into()],
                    ..plain()
                },
                "did not end with exit code 0: billing-worker",
            ),
        ] {
            assert_eq!(findings.problems(), [expected]);
        }
        // The e-mail of one debt went to another one.
        let swapped = with(|found| found.mailed_debts -= 1);
        assert_eq!((swapped.lost, swapped.mailed_twice), (1, 1));
    }
}
