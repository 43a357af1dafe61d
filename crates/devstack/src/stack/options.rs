use std::{io, path::PathBuf, time::Duration};

use emulators::free_port;

use crate::{
    callgrind::Callgrind,
    ledger_server::{LedgerKind, LedgerOptions},
    mails::Mails,
    services::{Kind, Logs, Variable},
    spool_server::{SpoolKind, SpoolOption},
};

/// Ports of the stack, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the names of the options")]
pub(crate) struct Ports {
    /// importer-api
    #[arg(long, env = "DEVSTACK_IMPORTER_PORT", default_value_t = 8000)]
    pub(crate) importer_port: u16,
    /// billing-worker
    #[arg(long, env = "DEVSTACK_BILLING_PORT", default_value_t = 8001)]
    pub(crate) billing_port: u16,
    /// send-mail-worker
    #[arg(long, env = "DEVSTACK_MAIL_PORT", default_value_t = 8002)]
    pub(crate) mail_port: u16,
    /// SQS and SNS
    #[arg(long, env = "DEVSTACK_EMULATOR_PORT", default_value_t = 4566)]
    pub(crate) emulator_port: u16,
    /// Redis, or the first node of its cluster; not the usual 6379, where one may run already
    #[arg(long, env = "DEVSTACK_REDIS_PORT", default_value_t = 6390)]
    pub(crate) redis_port: u16,
    /// PostgreSQL, with `--ledger postgres`; not the usual 5432 either
    #[arg(long, env = "DEVSTACK_POSTGRES_PORT", default_value_t = 5490)]
    pub(crate) postgres_port: u16,
    /// The mail server, with `--mail smtp`
    #[arg(long, env = "DEVSTACK_SMTP_PORT", default_value_t = 1025)]
    pub(crate) smtp_port: u16,
}

impl Ports {
    /// That of a service, and the variable that sets it.
    pub(super) fn of(&self, kind: Kind) -> (u16, &'static str) {
        match kind {
            Kind::Importer => (self.importer_port, "DEVSTACK_IMPORTER_PORT"),
            Kind::Billing => (self.billing_port, "DEVSTACK_BILLING_PORT"),
            Kind::Mail => (self.mail_port, "DEVSTACK_MAIL_PORT"),
        }
    }

    /// That of the ledger.
    pub(super) fn of_ledger(&self, kind: LedgerKind) -> u16 {
        match kind {
            LedgerKind::Redis | LedgerKind::RedisCluster => self.redis_port,
            LedgerKind::Postgres => self.postgres_port,
        }
    }

    /// Ports on which nobody listens now, so that this stack can run beside another one.
    pub(crate) fn free() -> io::Result<Self> {
        Ok(Self {
            importer_port: free_port()?,
            billing_port: free_port()?,
            mail_port: free_port()?,
            emulator_port: free_port()?,
            redis_port: free_port()?,
            postgres_port: free_port()?,
            smtp_port: free_port()?,
        })
    }
}

/// What a stack is made of.
#[derive(Debug, Clone)]
pub(crate) struct StackOptions {
    /// Where everything listens.
    pub(crate) ports: Ports,
    /// Where e-mails go.
    pub(crate) mails: Mails,
    /// What becomes of what the services log.
    pub(crate) logs: Logs,
    /// Directory for uploads and the data of the ledger, which are removed at the end; `None` is the
    /// one of the system for temporary files.
    pub(crate) files: Option<PathBuf>,
    /// What keeps the ledger. Its port is that of `ports`.
    pub(crate) ledger: LedgerOptions,
    /// How much later each answer of SQS and SNS comes than it could.
    pub(crate) latency: Duration,
    /// Where the files of imports are, and the processes of importer-api.
    pub(crate) spool: SpoolOption,
    /// Processes of billing-worker. Those after the first take any free port.
    pub(crate) billing_workers: usize,
    /// Processes of send-mail-worker, likewise.
    pub(crate) mail_workers: usize,
    /// Further variables of importer-api.
    pub(crate) importer_environment: Vec<Variable>,
    /// Counts the instructions of the services.
    pub(crate) callgrind: Option<Callgrind>,
}

impl StackOptions {
    /// One process of each service, and no latency.
    pub(crate) fn new(ports: Ports, mails: Mails, logs: Logs) -> Self {
        Self {
            ports,
            mails,
            logs,
            files: None,
            ledger: LedgerOptions::new(LedgerKind::default()),
            latency: Duration::ZERO,
            spool: SpoolOption {
                spool: SpoolKind::Disk,
                importers: 1,
            },
            billing_workers: 1,
            mail_workers: 1,
            importer_environment: Vec::new(),
            callgrind: None,
        }
    }
}
