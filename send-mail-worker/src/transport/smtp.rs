use std::io::{self, Write};

use common::runtime::{Dependency, Outage};
use futures::future::join_all;
use prometheus::Histogram;
use tokio_util::sync::CancellationToken;

use super::{Letter, Sending, SentLog, Transport, TransportAway};
use crate::compose::{Composer, PrintedSlip};
use crate::message_id::message_id;
use crate::smtp::{DeliveryError, Smtp, SmtpSettings, SmtpSetupError};

/// Composes each e-mail and hands it to a mail server, the e-mails of a batch
/// beside each other.
#[derive(Debug)]
pub struct SmtpTransport<W = io::Stdout> {
    smtp: Smtp,
    composer: Composer,
    /// The sender's, where the Message-IDs are unique.
    domain: String,
    log: SentLog<W>,
    duration: Histogram,
}

impl SmtpTransport {
    /// For that mail server. It logs to standard output, and observes how long
    /// each e-mail takes, in seconds. When `stop` is cancelled it waits for no
    /// answer any longer than the process has time.
    ///
    /// # Errors
    /// When the settings ask for TLS and there is nobody to trust.
    pub fn new(
        settings: SmtpSettings,
        duration: Histogram,
        stop: CancellationToken,
    ) -> Result<Self, SmtpSetupError> {
        Ok(Self {
            composer: Composer::new(settings.from.clone(), settings.reply_to.clone()),
            domain: settings.from.email.domain().to_owned(),
            smtp: Smtp::new(settings, stop)?,
            log: SentLog::to_stdout(),
            duration,
        })
    }
}

impl<W: Write> SmtpTransport<W> {
    async fn send_one(&self, letter: &Letter, message_id: &str) -> Sending {
        let _taken = self.duration.start_timer();
        let Letter {
            notification,
            agreement,
        } = letter;
        let slip = agreement.as_ref().and_then(|agreement| {
            Some(PrintedSlip {
                pdf: slip::pdf_of(notification, agreement)?,
                registered: agreement.registered(),
            })
        });
        let now = jiff::Timestamp::now();
        let composed = self.composer.compose(notification, slip, message_id, now);
        let email = match composed {
            Ok(email) => email,
            Err(error) => return Sending::Undeliverable(error.into()),
        };
        match self.smtp.deliver(&email.to, &email.message).await {
            Ok(()) => Sending::Sent,
            Err(DeliveryError::Deferred(reason)) => Sending::Deferred(reason),
            Err(DeliveryError::Unknown(reason)) => Sending::Unknown(reason),
            Err(DeliveryError::Undeliverable(reason)) => Sending::Undeliverable(reason),
            Err(DeliveryError::Away(reason)) => Sending::Away(reason),
            Err(DeliveryError::Probed(reason)) => Sending::Probed(reason),
            Err(DeliveryError::Busy) => Sending::Busy,
        }
    }
}

impl<W> Dependency for SmtpTransport<W> {
    fn outage(&self) -> &Outage {
        self.smtp.outage()
    }
}

impl<W: Write + Send + 'static> Transport for SmtpTransport<W> {
    /// Each e-mail takes a while, and a batch as long as its slowest.
    const BATCH: usize = 10;

    fn at_a_time(&self) -> Option<u32> {
        Some(self.smtp.connections())
    }

    async fn ready(&self) -> Result<(), TransportAway> {
        let ready = self.smtp.ready().await;
        ready.map_err(|error| TransportAway(error.to_string()))
    }

    async fn healthy(&self) -> Result<(), TransportAway> {
        let healthy = self.smtp.healthy().await;
        healthy.map_err(|error| TransportAway(error.to_string()))
    }

    async fn send(&self, letters: &[&Letter]) -> Vec<Sending> {
        let debt_ids = letters.iter().map(|letter| &*letter.notification.debt_id);
        let ids = letters
            .iter()
            .map(|letter| message_id(&letter.notification, &self.domain));
        let ids: Vec<String> = ids.collect();
        let sending = letters.iter().zip(&ids);
        let sent = join_all(sending.map(|(letter, id)| self.send_one(letter, id))).await;
        let lines = debt_ids.zip(ids.iter().map(String::as_str)).zip(&sent);
        let lines = lines.filter_map(|(line, sent)| (*sent == Sending::Sent).then_some(line));
        // The mail server has the e-mails: a log that is full takes none back.
        let _ = self.log.write(lines);
        sent
    }
}
