//! Where the e-mails of a stack go: to the log, to a mail server that keeps them, or to one outside.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use emulators::smtp_server::{Figures, Keep, SmtpServer, SmtpServerOptions};

use crate::services::Variable;

/// How many e-mails are written to files.
const FILES: u64 = 1_000;

/// Who sends the e-mails of the stack.
const FROM: &str = "Demonstração <cobranca@example.com>";

/// The option `--mail`. Its variable is not `MAIL`, which shells set to a file on many machines.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct MailOption {
    /// Where e-mails go: to the log, by SMTP to a server that keeps them, or to the server that the
    /// environment names (`SMTP_HOST`, …)
    #[arg(long, env = "DEVSTACK_MAIL", value_enum, default_value_t)]
    mail: Transport,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Transport {
    #[default]
    Log,
    Smtp,
    External,
}

/// Where the e-mails of a stack go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mails {
    /// To the log of send-mail-worker.
    Log,
    /// By SMTP to a server that writes the first ones into a folder.
    Smtp {
        /// The folder.
        folder: PathBuf,
    },
    /// By SMTP to the server that the environment of this process names; it really sends them.
    External,
}

impl MailOption {
    /// What the option says; the folder is for SMTP.
    pub(crate) fn mails(self, folder: &Path) -> Mails {
        match self.mail {
            Transport::Log => Mails::Log,
            Transport::Smtp => Mails::Smtp {
                folder: folder.to_owned(),
            },
            Transport::External => Mails::External,
        }
    }
}

impl Mails {
    /// What send-mail-worker is told; the catcher is the server that was started for it. The log is
    /// named as well: only [`Mails::External`] takes what the environment of this process says.
    pub(crate) fn variables(&self, catcher: Option<&MailCatcher>) -> Vec<Variable> {
        match (self, catcher) {
            (Self::External, _) => vec![("MAIL_TRANSPORT", "smtp".to_owned())],
            (_, Some(catcher)) => smtp_variables(catcher.0.address()).to_vec(),
            (_, None) => vec![("MAIL_TRANSPORT", "log".to_owned())],
        }
    }
}

/// Where the e-mails can be read.
impl fmt::Display for Mails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => write!(f, "lines of the log of send-mail-worker"),
            Self::Smtp { folder } => {
                write!(f, "the first {FILES} are in `{}`", folder.display())
            }
            Self::External => write!(f, "they go to the server that SMTP_HOST names"),
        }
    }
}

/// The mail server of a stack. It passes nothing on.
#[derive(Debug)]
pub(crate) struct MailCatcher(SmtpServer);

impl MailCatcher {
    /// Starts the server, where there is to be one.
    pub(crate) async fn start(mails: &Mails, port: u16) -> Result<Option<Self>> {
        let Mails::Smtp { folder } = mails else {
            return Ok(None);
        };
        let keep = Keep::Figures {
            folder: folder.clone(),
            files: FILES,
        };
        let options = SmtpServerOptions {
            port,
            keep,
            ..SmtpServerOptions::default()
        };
        Ok(Some(Self(SmtpServer::start_with(options).await?)))
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.0.address())
    }

    /// What it took.
    pub(crate) fn figures(&self) -> Figures {
        self.0.figures()
    }
}

/// What makes send-mail-worker hand its e-mails to the server at that address.
pub(crate) fn smtp_variables(server: SocketAddr) -> [Variable; 5] {
    [
        ("MAIL_TRANSPORT", "smtp".to_owned()),
        ("SMTP_HOST", server.ip().to_string()),
        ("SMTP_PORT", server.port().to_string()),
        ("SMTP_TLS", "none".to_owned()),
        ("MAIL_FROM", FROM.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use common::runtime::Environment;
    use send_mail_worker::{MailSettings, MailTransport};
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn settings(mails: &Mails, catcher: Option<&MailCatcher>) -> MailSettings {
        let variables = mails.variables(catcher);
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        MailSettings::read(&variables.collect::<Environment>()).unwrap()
    }

    #[tokio::test]
    async fn the_worker_takes_what_it_is_told() {
        let none = MailCatcher::start(&Mails::Log, 0).await.unwrap();
        assert!(none.is_none());
        let log = settings(&Mails::Log, None);
        assert!(matches!(log.transport, MailTransport::Log));

        let folder = tempfile::tempdir().unwrap();
        let mails = Mails::Smtp {
            folder: folder.path().join("mails"),
        };
        let catcher = MailCatcher::start(&mails, 0).await.unwrap().unwrap();
        let MailTransport::Smtp(smtp) = settings(&mails, Some(&catcher)).transport else {
            panic!("it is told to use SMTP");
        };
        let smtp = send_mail_worker::smtp::Smtp::new(*smtp, CancellationToken::new()).unwrap();
        let to = "ze@example.com".parse().unwrap();
        smtp.deliver(&to, b"Message-ID: <1@x>\r\n\r\nPague.\r\n")
            .await
            .unwrap();

        let figures = catcher.figures();
        assert_eq!((figures.messages, figures.message_ids), (1, 1));
        assert!(folder.path().join("mails/0001.eml").is_file());
    }
    #[tokio::test]
    async fn an_outside_server_is_left_to_the_environment() {
        let none = MailCatcher::start(&Mails::External, 0).await.unwrap();
        assert!(none.is_none());
        let variables = Mails::External.variables(None);
        assert_eq!(variables, [("MAIL_TRANSPORT", "smtp".to_owned())]);
    }
}
