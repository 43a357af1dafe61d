//! The e-mails in logs of send-mail-worker.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde_json::Value;

/// The `Mail sent` lines of one log or several.
#[derive(Debug, Default)]
pub(crate) struct MailLog {
    lines: u64,
    debts: HashSet<String>,
}

impl MailLog {
    /// Adds the lines of a log.
    pub(crate) fn read(&mut self, log: &Path) -> io::Result<()> {
        for line in BufReader::new(File::open(log)?).split(b'\n') {
            // What is no JSON is a panic's text, or was cut off by a kill: an e-mail not sent.
            let Ok(line) = serde_json::from_slice::<Value>(&line?) else {
                continue;
            };
            if line["message"] == "Mail sent" {
                self.lines += 1;
                self.debts.insert(line["debt_id"].to_string());
            }
        }
        Ok(())
    }

    /// E-mails.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Debts that these e-mails are for.
    pub(crate) fn debts(&self) -> u64 {
        self.debts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_debts_are_counted_over_all_logs() {
        let directory = tempfile::tempdir().unwrap();
        let logs = [
            "{\"message\":\"Mail sent\",\"debt_id\":\"1\"}\n{\"message\":\"Drained\"}\nno JSON\n",
            "{\"message\":\"Mail sent\",\"debt_id\":\"1\"}\n{\"message\":\"Mail sent\",\"de",
        ];
        let mut mails = MailLog::default();
        for (number, text) in logs.iter().enumerate() {
            let log = directory.path().join(number.to_string());
            std::fs::write(&log, text).unwrap();
            mails.read(&log).unwrap();
        }

        assert_eq!((mails.lines(), mails.debts()), (2, 1));
    }
}
