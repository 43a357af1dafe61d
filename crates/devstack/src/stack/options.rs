use std::{io, path::PathBuf, time::Duration};

use crate::{mails::Mails, services::Logs};
use emulators::free_port;

/// Ports of the stack, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Ports {
    /// importer-api
    #[arg(long, env = "DEVSTACK_IMPORTER_PORT", default_value_t = 8000)]
    pub importer_port: u16,
    /// billing-worker
    #[arg(long, env = "DEVSTACK_BILLING_PORT", default_value_t = 8001)]
    pub billing_port: u16,
    /// send-mail-worker
    #[arg(long, env = "DEVSTACK_MAIL_PORT", default_value_t = 8002)]
    pub mail_port: u16,
    /// SQS and SNS
    #[arg(long, env = "DEVSTACK_EMULATOR_PORT", default_value_t = 4566)]
    pub emulator_port: u16,
    /// Redis; not the usual 6379, where one may run already
    #[arg(long, env = "DEVSTACK_REDIS_PORT", default_value_t = 6390)]
    pub redis_port: u16,
    /// The mail server, with `--mail smtp`
    #[arg(long, env = "DEVSTACK_SMTP_PORT", default_value_t = 1025)]
    pub smtp_port: u16,
}

impl Ports {
    /// Ports on which nobody listens now, so that this stack can run beside another one.
    pub fn free() -> io::Result<Self> {
        Ok(Self {
            importer_port: free_port()?,
            billing_port: free_port()?,
            mail_port: free_port()?,
            emulator_port: free_port()?,
            redis_port: free_port()?,
            smtp_port: free_port()?,
        })
    }
}

/// What a stack is made of.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Where everything listens.
    pub ports: Ports,
    /// Where e-mails go.
    pub mails: Mails,
    /// What becomes of what the services log.
    pub logs: Logs,
    /// Directory for uploads and the data of Redis, which are removed at the end; `None` is the
    /// one of the system for temporary files.
    pub files: Option<PathBuf>,
    /// How much later each answer of SQS and SNS comes than it could.
    pub latency: Duration,
    /// Processes of billing-worker. Those after the first take any free port.
    pub billing_workers: usize,
    /// Processes of send-mail-worker, likewise.
    pub mail_workers: usize,
    /// Further variables of importer-api.
    pub importer_environment: Vec<(&'static str, String)>,
}

impl StackOptions {
    /// One process of each service, and no latency.
    pub fn new(ports: Ports, mails: Mails, logs: Logs) -> Self {
        Self {
            ports,
            mails,
            logs,
            files: None,
            latency: Duration::ZERO,
            billing_workers: 1,
            mail_workers: 1,
            importer_environment: Vec::new(),
        }
    }
}
