use std::{fmt, time::Duration};

use crate::verdict::Verdict;

/// What became of the rows of an upload.
#[derive(Debug)]
pub(super) struct Report {
    /// What became of them, and what must.
    pub(super) verdict: Verdict,
    /// From the start of the upload to its answer.
    pub(super) accepted: Duration,
    /// From the start of the upload to the last e-mail.
    pub(super) taken: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, .. } = self;
        write!(f, "{verdict}")?;
        let (accepted, seconds) = (self.accepted.as_secs_f64(), self.taken.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "shown without decimals")]
        let rate = verdict.counts.rows as f64 / seconds;
        writeln!(f, "\n{:<24} {accepted:>10.2} s", "accepted after")?;
        writeln!(f, "{:<24} {seconds:>10.2} s", "last e-mail after")?;
        writeln!(f, "{:<24} {rate:>12.0}", "rows a second")?;
        if let Some(rate) = verdict.at_server.and_then(|taken| taken.rate()) {
            writeln!(f, "{:<24} {rate:>12.0}", "e-mails a second")?;
        }
        let adds_up = if verdict.problems().is_empty() {
            "It adds up: every row has exactly one outcome, every bill one e-mail."
        } else {
            "It does NOT add up."
        };
        writeln!(f, "\n{adds_up}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::{verdict, with_a_mail_server};

    fn report(verdict: Verdict) -> Report {
        Report {
            verdict,
            accepted: Duration::from_millis(120),
            taken: Duration::from_secs(2),
        }
    }

    #[test]
    fn a_report_says_whether_it_adds_up() {
        let mut wrong = verdict();
        wrong.counts.notified -= 1;
        let text = report(wrong).to_string();
        assert!(text.contains("6            7  <-- differs"), "{text}");
        assert!(text.ends_with("It does NOT add up.\n"), "{text}");
    }

    #[test]
    fn the_table_is_readable() {
        insta::assert_snapshot!(report(verdict()));
        insta::assert_snapshot!("with_a_mail_server", report(with_a_mail_server()));
    }
}
