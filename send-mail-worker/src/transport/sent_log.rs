use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::runtime::current_ids;
use serde::Serialize;

/// The log lines of e-mails that were sent, the same for each transport: one
/// JSON object a line, in the form of the process's other log lines. They do
/// not depend on the log level.
pub struct SentLog<W = io::Stdout>(Mutex<W>);

/// The line of the contract: message `Mail sent`, with `debt_id`. An e-mail
/// that is repeated after a crash has the same `message_id`.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: jiff::Timestamp,
    level: &'static str,
    message: &'static str,
    debt_id: &'a str,
    message_id: &'a str,
    target: &'static str,
    /// As in the process's other log lines: those of the span, where there is
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<&'a str>,
}

impl SentLog {
    /// Writes to standard output.
    pub fn to_stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> SentLog<W> {
    /// Writes to that writer.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(writer))
    }

    /// Writes the lines of e-mails, by debt id and Message-ID, at once. They
    /// have left the process when it returns.
    pub fn write<'a>(&self, mails: impl IntoIterator<Item = (&'a str, &'a str)>) -> io::Result<()> {
        let timestamp = jiff::Timestamp::now();
        let ids = current_ids().map(|(trace, span)| (trace.to_string(), span.to_string()));
        let ids = ids.as_ref();
        let mut lines = Vec::with_capacity(2_560);
        for (debt_id, message_id) in mails {
            let line = Line {
                timestamp,
                level: "INFO",
                message: "Mail sent",
                debt_id,
                message_id,
                target: module_path!(),
                trace_id: ids.map(|(trace, _)| &**trace),
                span_id: ids.map(|(_, span)| &**span),
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        let mut writer = self.lock();
        writer.write_all(&lines)?;
        writer.flush()
    }

    /// Writes out what an earlier write has left behind.
    pub fn flush(&self) -> io::Result<()> {
        self.lock().flush()
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, W> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> fmt::Debug for SentLog<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentLog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mail_is_one_line_with_its_debt_id() {
        let log = SentLog::new(Vec::new());
        log.write([("17", "<1@x>"), ("a\nb", "<2@x>")]).unwrap();
        let text = String::from_utf8(log.into_inner()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "Mail sent");
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["debt_id"], "17");
        assert_eq!(lines[0]["message_id"], "<1@x>");
        assert_eq!(lines[1]["debt_id"], "a\nb");
    }
}
