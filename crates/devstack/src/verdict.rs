//! What became of the rows of a stack, and whether that is what must become of them: the same laws
//! for every command that uploads.

mod backlog;
mod boletos;
mod mail_log;

use std::{fmt, path::Path, time::Duration};

use anyhow::Result;
use common::ledger::{Audit, OutcomeCounts, SharedLedger};
use emulators::smtp_server::Figures as MailServerFigures;
use uuid::Uuid;

use crate::{
    import::Expected,
    mails::MailCatcher,
    services::{Kind, Service},
    stack::DevStack,
    wait::watch,
};

pub(crate) use backlog::Backlog;
pub(crate) use boletos::Boletos;
pub(crate) use mail_log::MailLog;

/// Longest wait for the workers to delete the messages that they have handled.
const EMPTY_DEADLINE: Duration = Duration::from_secs(10);

/// How often the queues are looked at meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What must become of all rows that were uploaded, and what was found. A command that cannot look
/// at something leaves that out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Verdict {
    /// What must become of them.
    pub(crate) expected: Expected,
    /// What the ledger says.
    pub(crate) counts: OutcomeCounts,
    /// The boletos of the debts that must be billed.
    pub(crate) boletos: Option<Boletos>,
    /// The e-mails in the logs of send-mail-worker.
    pub(crate) logged: Option<MailLog>,
    /// Those that a mail server took.
    pub(crate) at_server: Option<MailServerFigures>,
    /// E-mails that the faults of the run may have repeated.
    pub(crate) may_be_mailed_twice: u64,
    /// What is left in the queues.
    pub(crate) backlog: Backlog,
    /// What else is not as it must be, in words.
    pub(crate) flaws: Vec<String>,
}

/// A figure as it was found, and the least and the most that it may be.
struct Figure {
    name: &'static str,
    found: u64,
    least: u64,
    most: u64,
}

impl Verdict {
    /// Of an import that has ended: looks at the ledger, each boleto and the queues; then stops the
    /// stack and looks at the logs.
    pub(crate) async fn of_import(
        stack: DevStack,
        ledger: &SharedLedger,
        import_id: Uuid,
        input: &Path,
    ) -> Result<Self> {
        let (expected, debts) = Expected::of_file(input)?;
        let audit = Audit::of(ledger, import_id).await?;
        let broken = audit.iter().flat_map(|audit| &audit.laws);
        let mut verdict = Self {
            expected,
            counts: audit.as_ref().map(|audit| audit.counts).unwrap_or_default(),
            boletos: Some(Boletos::of(ledger, &debts).await?),
            backlog: Self::backlog_at_rest(&stack).await?,
            at_server: stack.mail_catcher().map(MailCatcher::figures),
            flaws: broken
                .filter(|breach| breach.count > 0)
                .map(|breach| format!("{}: not for {} rows", breach.law, breach.count))
                .collect(),
            ..Self::default()
        };
        let workers = stack
            .services()
            .iter()
            .filter(|one| one.kind() == Kind::Mail);
        let logs: Vec<_> = workers
            .filter_map(Service::log)
            .map(Path::to_owned)
            .collect();
        verdict.note(stack.stop().await);
        verdict.logged = Some(MailLog::of(logs)?);
        Ok(verdict)
    }

    /// What is left once the workers had time to delete the messages that they have handled.
    async fn backlog_at_rest(stack: &DevStack) -> Result<Backlog> {
        let look = async || {
            let backlog = Backlog::of(stack.emulator(), stack.resources()).await?;
            Ok((backlog, backlog.left == 0))
        };
        Ok(watch(POLL_INTERVAL, EMPTY_DEADLINE, look).await?.last())
    }

    /// Takes an error as a flaw.
    pub(crate) fn note(&mut self, result: Result<()>) {
        self.flaws
            .extend(result.err().map(|error| error.to_string()));
    }

    /// Rows without an outcome, and bills without an e-mail: by the ledger, or by what was really
    /// sent.
    pub(crate) fn lost(&self) -> u64 {
        let Self {
            expected, counts, ..
        } = self;
        let not_mailed = counts.billed.saturating_sub(counts.mailed);
        let not_sent = self
            .sent()
            .map_or(0, |sent| expected.billed.saturating_sub(sent.debts));
        expected.rows.saturating_sub(counts.ended()) + not_mailed.max(not_sent)
    }

    /// Bills beyond one for each debt. Each debt has an e-mail and so a bill, or it is among the
    /// lost.
    pub(crate) fn billed_twice(&self) -> u64 {
        self.counts.billed.saturating_sub(self.expected.billed)
    }

    /// E-mails beyond one for each debt.
    pub(crate) fn mailed_twice(&self) -> u64 {
        self.sent().map_or(0, |sent| sent.mails - sent.debts)
    }

    /// Debts without a valid boleto, or with the number of another one.
    pub(crate) fn boletos_off(&self) -> u64 {
        let good = |boletos: Boletos| boletos.numbers.min(boletos.valid);
        let expected = self.expected.billed;
        self.boletos
            .map_or(0, |boletos| expected.saturating_sub(good(boletos)))
    }

    /// By the mail server where there is one: a killed worker has no line for its last e-mails.
    fn sent(&self) -> Option<MailLog> {
        let at_server = self.at_server.map(|taken| MailLog {
            mails: taken.messages,
            debts: taken.message_ids,
        });
        at_server.or(self.logged)
    }

    /// What is not as it must be, in words; nothing if the promise is kept.
    pub(crate) fn problems(&self) -> Vec<String> {
        let broken = [
            ("rows or e-mails lost", self.lost(), 0),
            ("debts billed twice", self.billed_twice(), 0),
            (
                "debts mailed twice",
                self.mailed_twice(),
                self.may_be_mailed_twice,
            ),
            (
                "boletos not valid or without a number of their own",
                self.boletos_off(),
                0,
            ),
            ("messages left in the queues", self.backlog.left, 0),
            ("dead letters", self.backlog.dead, 0),
        ];
        let mut problems: Vec<String> = broken
            .into_iter()
            .filter(|(_, found, most)| found > most)
            .map(|(what, found, most)| match most {
                0 => format!("{found} {what}"),
                most => format!("{found} {what}, at most {most} are allowed"),
            })
            .collect();
        if problems.is_empty() {
            // What none of these explains, such as a row that is skipped and should be invalid.
            let off = self.figures().into_iter().filter(Figure::is_off);
            problems.extend(off.map(
                |Figure {
                     name, found, least, ..
                 }| { format!("{name}: {found} found, {least} expected") },
            ));
        }
        problems.extend(self.flaws.iter().cloned());
        problems
    }

    fn figures(&self) -> Vec<Figure> {
        let Self {
            expected, counts, ..
        } = self;
        let debts = expected.billed;
        let exactly = |name, found, expected| Figure {
            name,
            found,
            least: expected,
            most: expected,
        };
        let one_each = |name, found| Figure {
            most: debts + self.may_be_mailed_twice,
            ..exactly(name, found, debts)
        };
        let mut figures = vec![
            exactly("rows", counts.rows, expected.rows),
            exactly("billed", counts.billed, debts),
            exactly("skipped", counts.skipped, expected.skipped),
            exactly("invalid", counts.invalid, expected.invalid),
        ];
        if let Some(boletos) = self.boletos {
            figures.push(exactly("distinct our numbers", boletos.numbers, debts));
            figures.push(exactly("valid boletos", boletos.valid, debts));
        }
        figures.push(exactly("notified", counts.notified, debts));
        figures.push(exactly("mailed", counts.mailed, debts));
        if let Some(logged) = self.logged {
            figures.push(one_each("e-mails in the log", logged.mails));
            figures.push(exactly("debts in these e-mails", logged.debts, debts));
        }
        if let Some(taken) = self.at_server {
            figures.push(one_each("e-mails at the server", taken.messages));
            figures.push(exactly("distinct Message-IDs", taken.message_ids, debts));
        }
        figures
    }
}

impl Figure {
    fn is_off(&self) -> bool {
        !(self.least..=self.most).contains(&self.found)
    }
}

/// The figures as a table that marks those that differ.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<24} {:>12} {:>12}", "", "found", "expected")?;
        for figure in self.figures() {
            let mark = if figure.is_off() { "  <-- differs" } else { "" };
            let Figure {
                name, found, least, ..
            } = figure;
            writeln!(f, "{name:<24} {found:>12} {least:>12}{mark}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of ten rows, all as they must be.
    pub(crate) fn verdict() -> Verdict {
        Verdict {
            expected: Expected {
                rows: 10,
                billed: 7,
                skipped: 2,
                invalid: 1,
            },
            counts: OutcomeCounts {
                rows: 10,
                billed: 7,
                skipped: 2,
                invalid: 1,
                notified: 7,
                mailed: 7,
                ..OutcomeCounts::default()
            },
            boletos: Some(Boletos {
                numbers: 7,
                valid: 7,
            }),
            logged: Some(MailLog { mails: 7, debts: 7 }),
            ..Verdict::default()
        }
    }

    pub(crate) fn with_a_mail_server() -> Verdict {
        Verdict {
            at_server: Some(MailServerFigures {
                messages: 7,
                message_ids: 7,
                bytes: 210_000,
                span: Duration::from_millis(500),
            }),
            ..verdict()
        }
    }

    #[track_caller]
    fn assert_problems(change: impl FnOnce(&mut Verdict), expected: &[&str]) {
        let mut verdict = verdict();
        change(&mut verdict);
        assert_eq!(verdict.problems(), expected);
    }

    #[test]
    fn a_run_without_a_flaw_has_no_problems() {
        for fine in [verdict(), with_a_mail_server()] {
            assert_eq!(fine.problems(), Vec::<String>::new());
            assert!(!fine.to_string().contains("differs"));
        }
    }

    #[test]
    fn each_flaw_is_a_problem_of_its_own() {
        assert_problems(|v| v.counts.skipped -= 1, &["1 rows or e-mails lost"]);
        assert_problems(|v| v.counts.mailed -= 1, &["1 rows or e-mails lost"]);
        let billed_twice = |v: &mut Verdict| {
            v.counts.billed += 1;
            v.counts.mailed += 1;
            v.counts.skipped -= 1;
        };
        assert_problems(billed_twice, &["1 debts billed twice"]);
        let mailed_twice = |v: &mut Verdict| v.logged = Some(MailLog { mails: 8, debts: 7 });
        assert_problems(mailed_twice, &["1 debts mailed twice"]);
        for (numbers, valid, problem) in [
            (7, 6, "1 boletos not valid or without a number of their own"),
            (5, 7, "2 boletos not valid or without a number of their own"),
        ] {
            assert_problems(|v| v.boletos = Some(Boletos { numbers, valid }), &[problem]);
        }
        assert_problems(|v| v.backlog.left = 3, &["3 messages left in the queues"]);
        assert_problems(|v| v.backlog.dead = 1, &["1 dead letters"]);
        let flaw = "no row has two outcomes: not for 2 rows";
        assert_problems(|v| v.flaws.push(flaw.to_owned()), &[flaw]);
    }

    #[test]
    fn what_no_law_explains_is_a_problem_as_well() {
        let swapped = |v: &mut Verdict| {
            v.counts.skipped += 1;
            v.counts.invalid -= 1;
        };
        let skipped_and_invalid = [
            "skipped: 3 found, 2 expected",
            "invalid: 0 found, 1 expected",
        ];
        assert_problems(swapped, &skipped_and_invalid);
        let not_notified = "notified: 6 found, 7 expected";
        assert_problems(|v| v.counts.notified -= 1, &[not_notified]);
        assert_problems(|v| v.counts.rows += 1, &["rows: 11 found, 10 expected"]);
    }

    #[test]
    fn an_import_that_nobody_knows_is_lost() {
        let mut verdict = verdict();
        verdict.counts = OutcomeCounts::default();
        assert_eq!(verdict.lost(), 10);
    }

    #[test]
    fn an_e_mail_that_went_to_another_debt_is_lost_there_and_twice_here() {
        let mut verdict = verdict();
        verdict.logged = Some(MailLog { mails: 7, debts: 6 });
        assert_eq!((verdict.lost(), verdict.mailed_twice()), (1, 1));
        verdict.counts.skipped -= 1;
        assert_eq!(verdict.lost(), 2);
    }

    #[test]
    fn repeated_e_mails_are_allowed_up_to_what_the_kills_may_cause() {
        let mut verdict = verdict();
        verdict.logged = Some(MailLog { mails: 9, debts: 7 });
        verdict.may_be_mailed_twice = 1;
        let problem = "2 debts mailed twice, at most 1 are allowed";
        assert_eq!(verdict.problems(), [problem]);

        verdict.may_be_mailed_twice = 2;

        assert_eq!(verdict.problems(), Vec::<String>::new());
    }

    #[test]
    fn every_bill_has_one_e_mail_at_the_server_with_an_id_of_its_own() {
        for (messages, message_ids) in [(8, 7), (7, 6), (6, 6), (8, 8)] {
            let mut wrong = with_a_mail_server();
            wrong.at_server = wrong.at_server.map(|taken| MailServerFigures {
                messages,
                message_ids,
                ..taken
            });
            assert_ne!(wrong.problems(), Vec::<String>::new());
            assert!(wrong.to_string().contains("<-- differs"));
        }
    }
}
