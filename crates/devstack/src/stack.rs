//! Emulator, Redis, mail server and the three services together.

mod options;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use emulators::{
    emulator::{Emulator, PipelineNames, PipelineResources},
    free_port,
    redis_server::RedisServer,
    shared_environment,
};
use tempfile::TempDir;

use crate::{
    mails::MailCatcher,
    services::{Kind, Service, ServiceSettings, Variable, stop_all},
};

pub(crate) use options::{Ports, StackOptions};

/// A running stack. Dropping it kills what runs; [`DevStack::stop`] is the orderly way. It keeps
/// nothing: its queues are in memory, so Redis and the uploads start empty as well.
#[derive(Debug)]
pub(crate) struct DevStack {
    // In the order in which they must go.
    services: Vec<Service>,
    catcher: Option<MailCatcher>,
    redis: RedisServer,
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
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.emulator_port));
        let emulator = Emulator::start_with_latency(address, options.latency)
            .await
            .context("SQS and SNS (DEVSTACK_EMULATOR_PORT)")?;
        let resources = emulator.create_pipeline(&PipelineNames::default()).await?;
        let redis_files = files.path().join("redis");
        let (port, append_fsync) = (Some(ports.redis_port), options.append_fsync);
        let redis = RedisServer::start_with(port, Some(&redis_files), append_fsync)
            .await
            .context("Redis (DEVSTACK_REDIS_PORT)")?;
        let mut stack = Self {
            services: Vec::new(),
            catcher,
            redis,
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

    /// Where uploads and the data of Redis are.
    pub(crate) fn files(&self) -> &Path {
        self.files.path()
    }

    /// Redis.
    pub(crate) fn redis(&self) -> &RedisServer {
        &self.redis
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
    pub(crate) async fn stop(self) -> Result<()> {
        let stopped = stop_all(self.services).await;
        self.redis.stop().await;
        self.emulator.stop().await;
        stopped
    }

    async fn start_services(&mut self, options: &StackOptions) -> Result<()> {
        for (kind, processes) in [
            (Kind::Importer, 1),
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
                    environment: self.environment(kind, options),
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

    fn environment(&self, kind: Kind, options: &StackOptions) -> Vec<Variable> {
        let shared = shared_environment(&self.emulator.endpoint_url(), self.redis.port());
        let own = match kind {
            Kind::Importer => options.importer_environment.clone(),
            Kind::Billing => Vec::new(),
            Kind::Mail => options.mails.variables(self.catcher.as_ref()),
        };
        let bind_address = ("BIND_ADDRESS", "127.0.0.1".to_owned());
        let queues = kind.variables(&self.resources, &self.files().join("spool"));
        let shared = shared.into_iter().chain([bind_address]);
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
