//! A client of a test server.

mod speed;

use std::io::Write;

use send_mail_worker::smtp::{DeliveryError, Smtp, SmtpSettings};
use tempfile::NamedTempFile;
use testkit::smtp_server::SmtpServer;
use tokio_util::sync::CancellationToken;

/// A small e-mail.
pub(crate) const MESSAGE: &[u8] = b"Subject: Boleto\r\n\r\nPague.\r\n";

/// Cloning shares its connections.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) smtp: Smtp,
}

impl Client {
    /// Without TLS and login.
    pub(crate) fn of(server: &SmtpServer) -> Self {
        Self::with(server, &[])
    }

    /// With these variables; with TLS it trusts that server.
    pub(crate) fn with(server: &SmtpServer, variables: &[(&str, &str)]) -> Self {
        Self::changed(server, variables, |_| {})
    }

    /// With TLS, and trust in another server than it speaks with.
    pub(crate) fn trusting(trusted: &SmtpServer, server: &SmtpServer, mode: &str) -> Self {
        let port = server.address().port();
        Self::changed(trusted, &[("SMTP_TLS", mode)], |settings| {
            settings.port = port;
        })
    }

    /// With changes that no variable makes.
    pub(crate) fn changed(
        server: &SmtpServer,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut SmtpSettings),
    ) -> Self {
        Self::made(server, variables, CancellationToken::new(), change)
    }

    /// The same, of a process that can be told to stop.
    pub(crate) fn stopped_by(
        server: &SmtpServer,
        stop: CancellationToken,
        change: impl FnOnce(&mut SmtpSettings),
    ) -> Self {
        Self::made(server, &[], stop, change)
    }

    fn made(
        server: &SmtpServer,
        variables: &[(&str, &str)],
        stop: CancellationToken,
        change: impl FnOnce(&mut SmtpSettings),
    ) -> Self {
        let port = server.address().port().to_string();
        let mut root = NamedTempFile::new().unwrap();
        let mut all = vec![
            ("SMTP_HOST", "127.0.0.1"),
            ("SMTP_PORT", &port),
            ("SMTP_TLS", "none"),
            ("MAIL_FROM", "Cobrança <cobranca@example.com>"),
        ];
        let path = root.path().to_str().unwrap().to_owned();
        if let Some(certificate) = server.certificate() {
            root.write_all(certificate.as_bytes()).unwrap();
            all.push(("SMTP_CA_FILE", &path));
        }
        all.extend_from_slice(variables);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = all.iter().map(own).collect();
        let mut settings = SmtpSettings::read(&environment).unwrap();
        change(&mut settings);
        Self {
            smtp: Smtp::new(settings, stop).unwrap(),
        }
    }

    pub(crate) async fn deliver(&self, to: &str) -> Result<(), DeliveryError> {
        self.send(to, MESSAGE).await
    }

    pub(crate) async fn send(&self, to: &str, message: &[u8]) -> Result<(), DeliveryError> {
        self.smtp.deliver(&to.parse().unwrap(), message).await
    }
}
