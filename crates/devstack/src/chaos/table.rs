//! The figures as a Markdown table, a row as soon as its run has ended.

use std::io::{self, Write};

use super::{Scenario, outcome::Outcome};
use crate::ledger_server::LedgerKind;

/// Prints rows, and remembers what is off.
#[derive(Debug)]
pub(super) struct Table<W> {
    out: W,
    problems: Vec<String>,
}

impl<W: Write> Table<W> {
    /// Prints the head, which names the ledger.
    pub(super) fn new(mut out: W, ledger: LedgerKind) -> io::Result<Self> {
        writeln!(
            out,
            "| fault, with the ledger in {ledger} | rows | lost | billed twice | mailed twice | seconds |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |"
        )?;
        Ok(Self {
            out,
            problems: Vec::new(),
        })
    }

    /// Prints a row.
    pub(super) fn add(&mut self, scenario: Scenario, outcome: &Outcome) -> io::Result<()> {
        let (title, verdict) = (scenario.title(), &outcome.verdict);
        let allowed = match verdict.may_be_mailed_twice {
            0 => String::new(),
            most => format!(" (at most {most})"),
        };
        let went_on = outcome.went_on_after.map_or_else(String::new, |after| {
            format!(": all on their way {:.1} s later", after.as_secs_f64())
        });
        let taken_over = outcome.taken_over_after.map_or_else(String::new, |after| {
            format!(": taken over {:.1} s later at most", after.as_secs_f64())
        });
        writeln!(
            self.out,
            "| {title}{went_on}{taken_over} | {} | {} | {} | {}{allowed} | {:.0} |",
            verdict.expected.rows,
            verdict.lost(),
            verdict.billed_twice(),
            verdict.mailed_twice(),
            outcome.taken.as_secs_f64(),
        )?;
        let problems = verdict.problems().into_iter();
        self.problems
            .extend(problems.map(|problem| format!("- {title}: {problem}")));
        self.out.flush()
    }

    /// A line for each figure that is off.
    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::{MailLog, Verdict, tests::verdict};

    #[test]
    fn it_is_markdown_and_tells_of_what_is_off() {
        let fine = Outcome {
            verdict: Verdict {
                may_be_mailed_twice: 160,
                logged: Some(MailLog { mails: 9, debts: 7 }),
                ..verdict()
            },
            taken: Duration::from_millis(61_400),
            went_on_after: None,
            taken_over_after: None,
        };
        let mut broken = fine.clone();
        broken.verdict.may_be_mailed_twice = 0;
        broken.verdict.counts.skipped = 0;
        let moved = Outcome {
            went_on_after: Some(Duration::from_millis(1_240)),
            ..fine.clone()
        };
        let mut text = Vec::new();

        let mut table = Table::new(&mut text, LedgerKind::Redis).unwrap();
        table.add(Scenario::MailKilled, &fine).unwrap();
        table.add(Scenario::SnsDown, &broken).unwrap();
        table.add(Scenario::LedgerSilent, &moved).unwrap();

        let problems = table.problems().join("\n");
        let text = String::from_utf8(text).unwrap();
        insta::assert_snapshot!(format!("{text}\n{problems}"));
    }
}
