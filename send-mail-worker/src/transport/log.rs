use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use common::contract::Notification;
use serde::Serialize;

use super::{Transport, TransportError};
use crate::message_id::message_id;

/// Logs each e-mail: one JSON object a line, in the form of the process's
/// other log lines. The line *is* the e-mail, so it does not depend on the
/// log level, and a batch is one write that has returned before any of its
/// e-mails counts as sent.
pub struct LogTransport<W = io::Stdout>(Mutex<W>);

/// The line of the contract: message `Mail sent`, with `debt_id`. An e-mail
/// that is repeated after a crash has the same `message_id`.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: jiff::Timestamp,
    level: &'static str,
    message: &'static str,
    debt_id: &'a str,
    message_id: String,
    target: &'static str,
}

impl LogTransport {
    /// Writes to standard output.
    pub fn to_stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> LogTransport<W> {
    /// Writes to that writer.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(writer))
    }

    fn write(&self, mails: &[&Notification]) -> io::Result<()> {
        let timestamp = jiff::Timestamp::now();
        let mut lines = Vec::with_capacity(mails.len() * 256);
        for mail in mails {
            let line = Line {
                timestamp,
                level: "INFO",
                message: "Mail sent",
                debt_id: &mail.debt_id,
                message_id: message_id(&mail.debt_id),
                target: module_path!(),
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&lines)?;
        writer.flush()
    }
}

impl<W> std::fmt::Debug for LogTransport<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogTransport").finish_non_exhaustive()
    }
}

impl<W: Write + Send + 'static> Transport for LogTransport<W> {
    async fn send(&self, mails: &[&Notification]) -> Vec<Result<(), TransportError>> {
        let written = self
            .write(mails)
            .map_err(|error| TransportError(format!("the log cannot be written: {error}")));
        vec![written; mails.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(debt_id: &str) -> Notification {
        Notification {
            name: "Zé".into(),
            government_id: "1".into(),
            email: "ze@example.com".into(),
            debt_amount: "1".parse().unwrap(),
            debt_due_date: "2024-01-19".parse().unwrap(),
            debt_id: debt_id.into(),
            boleto: None,
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn each_mail_is_one_line_with_its_debt_id_and_no_personal_data() {
        let transport = LogTransport::new(Vec::new());
        let mails = [mail("17"), mail("a\nb")];
        let sent = transport.send(&[&mails[0], &mails[1]]).await;
        assert_eq!(sent, [Ok(()), Ok(())]);
        let text = String::from_utf8(transport.0.into_inner().unwrap()).unwrap();
        assert!(!text.contains("example.com"));
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "Mail sent");
        assert_eq!(lines[0]["debt_id"], "17");
        assert_eq!(lines[0]["message_id"], message_id("17"));
        assert_eq!(lines[1]["debt_id"], "a\nb");
    }

    #[tokio::test]
    async fn what_could_not_be_written_was_not_sent() {
        let sent = LogTransport::new(Full).send(&[&mail("17")]).await;
        assert!(sent[0].is_err());
    }
}
