use std::io::{self, Write};

use common::runtime::{Dependency, Outage};
use prometheus::Histogram;

use super::{Letter, Sending, SentLog, Transport, TransportAway};
use crate::message_id::{NO_DOMAIN, message_id};

/// Logs each e-mail. The line *is* the e-mail, so a batch is one write that
/// has returned before any of its e-mails counts as sent.
///
/// A log that cannot be written is away as a whole: a full disk or a closed
/// pipe says nothing of an e-mail, and would fail the next one just the same.
/// Lines that got out before a write failed come again with it.
#[derive(Debug)]
pub struct LogTransport<W = io::Stdout> {
    log: SentLog<W>,
    outage: Outage,
    duration: Histogram,
}

impl LogTransport {
    /// Writes to standard output, and observes how long each write takes, in
    /// seconds.
    pub fn to_stdout(duration: Histogram) -> Self {
        Self::new(SentLog::to_stdout(), duration)
    }
}

impl<W: Write> LogTransport<W> {
    /// Writes to that log.
    pub fn new(log: SentLog<W>, duration: Histogram) -> Self {
        Self {
            log,
            outage: Outage::new("log"),
            duration,
        }
    }
}

impl<W> Dependency for LogTransport<W> {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl<W: Write + Send + 'static> Transport for LogTransport<W> {
    /// One write has room for many.
    const BATCH: usize = 30;

    async fn ready(&self) -> Result<(), TransportAway> {
        self.log
            .flush()
            .map_err(|error| TransportAway(away(&error)))
    }

    async fn send(&self, letters: &[&Letter]) -> Vec<Sending> {
        let _taken = self.duration.start_timer();
        let debt_ids = letters.iter().map(|letter| &*letter.notification.debt_id);
        let ids = letters
            .iter()
            .map(|letter| message_id(&letter.notification, NO_DOMAIN));
        let ids: Vec<String> = ids.collect();
        let lines = debt_ids.zip(ids.iter().map(String::as_str));
        let written = self.log.write(lines);
        let sending = match written {
            Ok(()) => Sending::Sent,
            Err(error) => Sending::Away(away(&error)),
        };
        vec![sending; letters.len()]
    }
}

fn away(error: &io::Error) -> String {
    format!("the log cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use prometheus::HistogramOpts;

    use super::*;

    fn letter(debt_id: &str) -> Letter {
        Letter {
            notification: testkit::billed(debt_id, 1),
            agreement: None,
        }
    }

    fn duration() -> Histogram {
        Histogram::with_opts(HistogramOpts::new("duration", "Duration.")).unwrap()
    }

    /// A disk that is full until there is room.
    #[derive(Clone, Default)]
    struct Disk {
        room: Arc<AtomicBool>,
        text: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.flush()?;
            self.text.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            if self.room.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    #[tokio::test]
    async fn a_batch_is_one_observation_and_holds_no_personal_data() {
        let duration = duration();
        let transport = LogTransport::new(SentLog::new(Vec::new()), duration.clone());
        transport.ready().await.unwrap();
        let mails = [letter("17"), letter("18")];
        let sent = transport.send(&[&mails[0], &mails[1]]).await;
        assert_eq!(sent, [Sending::Sent, Sending::Sent]);
        assert_eq!(duration.get_sample_count(), 1);
        let text = String::from_utf8(transport.log.into_inner()).unwrap();
        assert!(text.contains("\"debt_id\":\"18\""));
        assert!(text.contains(&message_id(&mails[0].notification, NO_DOMAIN)));
        assert!(!text.contains("example.com") && !text.contains("João"));
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_is_away_until_it_can() {
        let disk = Disk::default();
        let room = Arc::clone(&disk.room);
        let transport = LogTransport::new(SentLog::new(disk), duration());
        let sent = transport.send(&[&letter("17")]).await;
        assert!(matches!(&sent[..], [Sending::Away(_)]), "{sent:?}");
        assert!(transport.ready().await.is_err());
        room.store(true, Ordering::Relaxed);
        transport.ready().await.unwrap();
        assert_eq!(transport.send(&[&letter("17")]).await, [Sending::Sent]);
    }
}
