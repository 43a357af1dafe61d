//! The e-mails in logs of send-mail-worker.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;

/// The `Mail sent` lines of one log or several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MailLog {
    /// E-mails.
    pub(crate) mails: u64,
    /// Debts that these e-mails are for.
    pub(crate) debts: u64,
}

impl MailLog {
    /// Counts over all of these logs.
    pub(crate) fn of(logs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self> {
        let mut mails = 0;
        let mut debts = HashSet::new();
        for log in logs {
            let log = log.as_ref();
            let context = || format!("cannot read `{}`", log.display());
            let file = File::open(log).with_context(context)?;
            for line in BufReader::new(file).split(b'\n') {
                let line = line.with_context(context)?;
                // What is no JSON is a panic's text, or was cut off by a kill: an e-mail not sent.
                let Ok(line) = serde_json::from_slice::<Value>(&line) else {
                    continue;
                };
                if line["message"] == "Mail sent" {
                    mails += 1;
                    debts.insert(line["debt_id"].to_string());
                }
            }
        }
        Ok(Self {
            mails,
            debts: debts.len() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_debts_are_counted_over_all_logs() {
        let directory = tempfile::tempdir().unwrap();
        let texts = [
            "{\"message\":\"Mail sent\",\"debt_id\":\"1\"}\n{\"message\":\"Drained\"}\nno JSON\n",
            "{\"message\":\"Mail sent\",\"debt_id\":\"1\"}\n{\"message\":\"Mail sent\",\"de",
        ];
        let logs = [0, 1].map(|number| directory.path().join(number.to_string()));
        for (log, text) in logs.iter().zip(texts) {
            std::fs::write(log, text).unwrap();
        }

        let found = MailLog::of(&logs).unwrap();

        assert_eq!(found, MailLog { mails: 2, debts: 1 });
        assert!(MailLog::of([directory.path().join("none")]).is_err());
    }
}
