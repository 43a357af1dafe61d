//! Emulator, ledger, mail server and the three services together.

mod options;

use std::{
    fs::{self, Permissions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use emulators::{
    emulator::{Emulator, PipelineNames, PipelineResources},
    free_port, shared_environment,
};
use tempfile::TempDir;

use crate::{
    ledger_server::{LedgerOptions, LedgerServer},
    mails::MailCatcher,
    services::{Kind, Service, ServiceSettings, Variable, stop_all},
    spool_server::SpoolServer,
};

pub(crate) use options::{Ports, StackOptions};

/// A running stack. Dropping it kills what runs; [`DevStack::stop`] is the orderly way. It keeps
/// nothing: its queues are in memory, so the ledger and the uploads start empty as well.
#[derive(Debug)]
pub(crate) struct DevStack {
    // In the order in which they must go.
    services: Vec<Service>,
    catcher: Option<MailCatcher>,
    ledger: LedgerServer,
    spool: SpoolServer,
    emulator: Emulator,
    resources: PipelineResources,
    files: TempDir,
}

impl DevStack {
    /// Starts everything and returns when every service answers.
    pub(crate) async fn start(options: StackOptions) -> Result<Self> {
        let ports = options.ports;
        check_ports(ports)?;
        let catcher = MailCatcher::start(&options.mails, ports.smtp_port)
            .await
            .context("the mail server (DEVSTACK_SMTP_PORT)")?;
        let files = match &options.files {
            Some(directory) => tempfile::tempdir_in(directory),
            None => tempfile::tempdir(),
        };
        let files = files.context("no temporary directory")?;
        // PostgreSQL does not run as root, and its user has to reach its own part.
        let passable = fs::set_permissions(files.path(), Permissions::from_mode(0o711));
        passable.context("cannot share the temporary directory")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.emulator_port));
        let emulator = Emulator::start_with_latency(address, options.latency)
            .await
            .context("SQS and SNS (DEVSTACK_EMULATOR_PORT)")?;
        let resources = emulator.create_pipeline(&PipelineNames::default()).await?;
        let kind = options.ledger.kind;
        let ledger = LedgerOptions {
            port: Some(ports.of_ledger(kind)),
            ..options.ledger
        };
        let ledger = LedgerServer::start(ledger, &files.path().join("ledger"))
            .await
            .with_context(|| format!("{kind} ({})", kind.port_variable()))?;
        let spool = options.spool.spool;
        let spool = SpoolServer::start(spool, &files.path().join("spool")).await?;
        let mut stack = Self {
            services: Vec::new(),
            catcher,
            ledger,
            spool,
            emulator,
            resources,
            files,
        };
        stack.start_services(&options).await?;
        Ok(stack)
    }

    /// The services, in the order of the flow.
    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    /// Where importer-api answers.
    pub(crate) fn importer_url(&self) -> String {
        self.services.first().map(Service::url).unwrap_or_default()
    }

    /// The emulator.
    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Where uploads and the data of the ledger are.
    pub(crate) fn files(&self) -> &Path {
        self.files.path()
    }

    /// What keeps the ledger.
    pub(crate) fn ledger_server(&self) -> &LedgerServer {
        &self.ledger
    }

    /// The mail server, where the e-mails go to one.
    pub(crate) fn mail_catcher(&self) -> Option<&MailCatcher> {
        self.catcher.as_ref()
    }

    /// Queues and topic.
    pub(crate) fn resources(&self) -> &PipelineResources {
        &self.resources
    }

    /// An error if a service has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.services.iter_mut().try_for_each(Service::check)
    }

    /// Stops the services, then what they use. An error that names services that did not end with
    /// exit code 0.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let stopped = stop_all(self.services).await;
        self.ledger.shut_down().await;
        self.emulator.stop().await;
        stopped
    }

    async fn start_services(&mut self, options: &StackOptions) -> Result<()> {
        for (kind, processes) in [
            (Kind::Importer, options.spool.importers.into()),
            (Kind::Billing, options.billing_workers),
            (Kind::Mail, options.mail_workers),
        ] {
            for number in 1..=processes {
                let settings = ServiceSettings {
                    kind,
                    port: match number {
                        1 => options.ports.of(kind).0,
                        _ => free_port().context("no free port on 127.0.0.1")?,
                    },
                    environment: self.environment(kind, number, options),
                    callgrind: options.callgrind.clone(),
                };
                let logs = options.logs.of_process(kind, number);
                self.services.push(Service::start(settings, &logs).await?);
            }
        }
        let http = crate::http::client();
        for service in &mut self.services {
            service.ready(&http).await?;
        }
        Ok(())
    }

    fn environment(&self, kind: Kind, number: usize, options: &StackOptions) -> Vec<Variable> {
        let shared = shared_environment(&self.emulator.endpoint_url());
        let own = match kind {
            Kind::Importer => {
                let spool = self.spool.variables(number, None).into_iter();
                spool.chain(options.importer_environment.clone()).collect()
            }
            Kind::Billing => Vec::new(),
            Kind::Mail => options.mails.variables(self.catcher.as_ref()),
        };
        let bind_address = ("BIND_ADDRESS", "127.0.0.1".to_owned());
        let queues = kind.variables(&self.resources);
        let shared = shared.into_iter().chain(self.ledger.variables());
        let shared = shared.chain([bind_address]);
        shared.chain(queues).chain(own).collect()
    }
}

/// Tells of a taken port before anything is started.
fn check_ports(ports: Ports) -> Result<()> {
    for kind in Kind::ALL {
        let (port, variable) = ports.of(kind);
        ensure!(
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(),
            "port {port} of {} is already in use: stop the process that holds it, or set \
             {variable} to another port",
            kind.name()
        );
    }
    Ok(())
}
