//! The mail server of a run whose e-mails go over SMTP.

use std::path::Path;

use anyhow::{Context, Result};
use emulators::{
    fault_proxy::FaultProxy,
    smtp_server::{Figures, Keep, SmtpServer, SmtpServerOptions},
};

use crate::{mails::smtp_variables, services::Variable};

/// A mail server that takes everything, and the way to it.
#[derive(Debug)]
pub(super) struct Post {
    server: SmtpServer,
    pub(super) way: FaultProxy,
}

impl Post {
    /// Starts the server. It keeps figures alone.
    pub(super) async fn open(directory: &Path) -> Result<Self> {
        let options = SmtpServerOptions {
            keep: Keep::Figures {
                folder: directory.join("mails"),
                files: 0,
            },
            ..SmtpServerOptions::default()
        };
        let server = SmtpServer::start_with(options).await?;
        let way = FaultProxy::start(server.address()).await;
        Ok(Self {
            way: way.context("no port for a proxy")?,
            server,
        })
    }

    /// What send-mail-worker is told.
    pub(super) fn variables(&self) -> [Variable; 5] {
        smtp_variables(self.way.address())
    }

    /// What it has taken over.
    pub(super) fn figures(&self) -> Figures {
        self.server.figures()
    }
}
