use std::{fmt, time::Duration};

use common::ledger::OutcomeCounts;

use crate::import::{Boletos, Comparison, Expected};
use emulators::smtp_server::Figures;

/// What became of the rows of an upload.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// What must become of them.
    pub expected: Expected,
    /// What the ledger says.
    pub counts: OutcomeCounts,
    /// The boletos of the debts that must be billed.
    pub boletos: Boletos,
    /// `Mail sent` lines in the log of send-mail-worker.
    pub mail_lines: u64,
    /// Distinct debts in these lines.
    pub mailed_debts: u64,
    /// What the mail server took, where there is one.
    pub at_server: Option<Figures>,
    /// From the start of the upload to its answer.
    pub accepted: Duration,
    /// From the start of the upload to the last e-mail.
    pub taken: Duration,
}

impl Report {
    /// Whether every row has the outcome that it must have.
    pub fn adds_up(&self) -> bool {
        self.figures().holds()
            && self.counts.billed + self.counts.skipped + self.counts.invalid == self.counts.rows
    }

    fn figures(&self) -> Comparison {
        let Self {
            expected, counts, ..
        } = self;
        let mut figures = vec![
            ("rows", counts.rows, expected.rows),
            ("billed", counts.billed, expected.billed),
            ("skipped", counts.skipped, expected.skipped),
            ("invalid", counts.invalid, expected.invalid),
            (
                "distinct our numbers",
                self.boletos.numbers,
                expected.billed,
            ),
            ("valid boletos", self.boletos.valid, expected.billed),
            ("notified", counts.notified, expected.billed),
            ("mailed", counts.mailed, expected.billed),
            ("e-mails in the log", self.mail_lines, expected.billed),
            ("debts in these e-mails", self.mailed_debts, expected.billed),
        ];
        if let Some(taken) = self.at_server {
            figures.extend([
                ("e-mails at the server", taken.messages, expected.billed),
                ("distinct Message-IDs", taken.message_ids, expected.billed),
            ]);
        }
        Comparison(figures)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.figures())?;
        let seconds = self.taken.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "shown without decimals")]
        let rate = self.counts.rows as f64 / seconds;
        let accepted = self.accepted.as_secs_f64();
        writeln!(f, "\n{:<24} {accepted:>10.2} s", "accepted after")?;
        writeln!(f, "{:<24} {seconds:>10.2} s", "last e-mail after")?;
        writeln!(f, "{:<24} {rate:>12.0}", "rows a second")?;
        if let Some(rate) = self.at_server.and_then(|taken| taken.rate()) {
            writeln!(f, "{:<24} {rate:>12.0}", "e-mails a second")?;
        }
        let verdict = if self.adds_up() {
            "It adds up: every row has exactly one outcome, every bill one e-mail."
        } else {
            "It does NOT add up."
        };
        writeln!(f, "\n{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
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
            boletos: Boletos {
                numbers: 7,
                valid: 7,
            },
            mail_lines: 7,
            mailed_debts: 7,
            at_server: None,
            accepted: Duration::from_millis(120),
            taken: Duration::from_secs(2),
        }
    }

    #[test]
    fn a_report_adds_up_only_if_every_figure_is_as_expected() {
        assert!(report().adds_up());
        let mut wrong = report();
        wrong.mail_lines += 1;
        assert!(!wrong.adds_up());
        let mut wrong = report();
        wrong.counts.notified -= 1;
        assert!(!wrong.adds_up());
        for boletos in [
            Boletos {
                numbers: 6,
                valid: 7,
            },
            Boletos {
                numbers: 7,
                valid: 6,
            },
        ] {
            let wrong = Report {
                boletos,
                ..report()
            };
            assert!(!wrong.adds_up());
        }
        assert!(wrong.to_string().contains("<-- differs"));
    }

    fn report_with_server() -> Report {
        Report {
            at_server: Some(Figures {
                messages: 7,
                message_ids: 7,
                bytes: 210_000,
                span: Duration::from_millis(500),
            }),
            ..report()
        }
    }

    #[test]
    fn every_bill_has_one_e_mail_at_the_server_with_an_id_of_its_own() {
        assert!(report_with_server().adds_up());
        for (messages, message_ids) in [(8, 7), (7, 6), (6, 6)] {
            let mut wrong = report_with_server();
            wrong.at_server = wrong.at_server.map(|taken| Figures {
                messages,
                message_ids,
                ..taken
            });
            assert!(!wrong.adds_up());
        }
    }

    #[test]
    fn the_table_is_readable() {
        insta::assert_snapshot!(report());
        insta::assert_snapshot!("with_a_mail_server", report_with_server());
    }
}
