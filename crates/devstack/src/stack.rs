//! Emulator, Redis, mail server and the three services together.

mod options;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    mails::MailCatcher,
    services::{Service, ServiceError, ServiceSettings},
};
use emulators::{
    emulator::{Emulator, EmulatorError, PipelineNames, PipelineResources},
    free_port,
    redis_server::{RedisError, RedisServer},
    shared_environment,
    smtp_server::SmtpServerError,
};

pub use options::{Ports, StackOptions};

/// The variable of a worker's port.
const METRICS_PORT: &str = "METRICS_PORT";

/// Why the stack does not start, or did not stay up.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The emulator.
    #[error("SQS and SNS (DEVSTACK_EMULATOR_PORT): {0}")]
    Emulator(#[from] EmulatorError),
    /// Redis.
    #[error("Redis (DEVSTACK_REDIS_PORT): {0}")]
    Redis(#[from] RedisError),
    /// The mail server.
    #[error("the mail server (DEVSTACK_SMTP_PORT): {0}")]
    Smtp(#[from] SmtpServerError),
    /// A service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A port of a service is taken.
    #[error(
        "port {port} of {service} is already in use: stop the process that holds it, or set {variable} to another port"
    )]
    PortInUse {
        /// The service.
        service: &'static str,
        /// Its port.
        port: u16,
        /// The variable that sets it.
        variable: &'static str,
    },
    /// No place for the files of this run.
    #[error("no temporary directory: {0}")]
    Files(#[source] io::Error),
    /// No port for a further process of a service.
    #[error("no free port on 127.0.0.1: {0}")]
    NoFreePort(#[source] io::Error),
}

/// A running stack. Dropping it kills what runs; [`DevStack::stop`] is the orderly way. It keeps
/// nothing: its queues are in memory, so Redis and the uploads start empty as well.
#[derive(Debug)]
pub struct DevStack {
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
    pub async fn start(options: StackOptions) -> Result<Self, StackError> {
        let ports = options.ports;
        check_ports(ports)?;
        let catcher = MailCatcher::start(&options.mails, ports.smtp_port).await?;
        let files = match &options.files {
            Some(directory) => tempfile::tempdir_in(directory),
            None => tempfile::tempdir(),
        };
        let files = files.map_err(StackError::Files)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.emulator_port));
        let emulator = Emulator::start_with_latency(address, options.latency).await?;
        let resources = emulator.create_pipeline(&PipelineNames::default()).await?;
        let redis_files = files.path().join("redis");
        let redis = RedisServer::start(Some(ports.redis_port), Some(&redis_files)).await?;
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
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Where importer-api answers.
    pub fn importer_url(&self) -> String {
        self.services.first().map(Service::url).unwrap_or_default()
    }

    /// The emulator.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Where uploads and the data of Redis are.
    pub fn files(&self) -> &Path {
        self.files.path()
    }

    /// Redis.
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// The mail server, where the e-mails go to one.
    pub fn mail_catcher(&self) -> Option<&MailCatcher> {
        self.catcher.as_ref()
    }

    /// Queues and topic.
    pub fn resources(&self) -> &PipelineResources {
        &self.resources
    }

    /// An error if a service has ended.
    pub fn check(&mut self) -> Result<(), StackError> {
        for service in &mut self.services {
            service.check()?;
        }
        Ok(())
    }

    /// Stops the services, then what they use. Gives the names of services that did not end with
    /// exit code 0.
    pub async fn stop(self) -> Vec<&'static str> {
        for service in &self.services {
            service.terminate();
        }
        let mut unclean = Vec::new();
        for service in self.services {
            let name = service.name();
            if !service.ended().await.is_some_and(|status| status.success()) {
                unclean.push(name);
            }
        }
        self.redis.stop().await;
        self.emulator.stop().await;
        unclean
    }

    async fn start_services(&mut self, options: &StackOptions) -> Result<(), StackError> {
        let [importer, billing, mail] = self.settings(options);
        for (first, processes) in [
            (importer, 1),
            (billing, options.billing_workers),
            (mail, options.mail_workers),
        ] {
            for number in 1..=processes {
                let mut settings = first.clone();
                if number > 1 {
                    let port = free_port().map_err(StackError::NoFreePort)?;
                    settings.port = port;
                    settings.environment.push((METRICS_PORT, port.to_string()));
                }
                let logs = options.logs.of_process(first.name, number);
                self.services.push(Service::start(settings, &logs).await?);
            }
        }
        let http = reqwest::Client::new();
        for service in &mut self.services {
            service.ready(&http).await?;
        }
        Ok(())
    }

    /// Those of the first process of each service.
    fn settings(&self, options: &StackOptions) -> [ServiceSettings; 3] {
        let ports = options.ports;
        let spool = self.spool().to_string_lossy().into_owned();
        let queue = &self.resources.data_process_url;
        let mut settings = [
            self.service(
                "importer-api",
                ports.importer_port,
                [
                    ("PORT", ports.importer_port.to_string()),
                    ("SQS_QUEUE_URL", queue.clone()),
                    ("SPOOL_DIR", spool),
                ],
            ),
            self.service(
                "billing-worker",
                ports.billing_port,
                [
                    (METRICS_PORT, ports.billing_port.to_string()),
                    ("SQS_QUEUE_URL", queue.clone()),
                    ("SNS_TOPIC_ARN", self.resources.topic_arn.clone()),
                ],
            ),
            self.service(
                "send-mail-worker",
                ports.mail_port,
                [
                    (METRICS_PORT, ports.mail_port.to_string()),
                    ("SQS_QUEUE_URL", self.resources.process_email_url.clone()),
                ],
            ),
        ];
        let [importer, _, mail] = &mut settings;
        let further = options.importer_environment.iter().cloned();
        importer.environment.extend(further);
        mail.environment
            .extend(options.mails.variables(self.catcher.as_ref()));
        settings
    }

    fn service<const N: usize>(
        &self,
        name: &'static str,
        port: u16,
        own: [(&'static str, String); N],
    ) -> ServiceSettings {
        let shared = shared_environment(&self.emulator.endpoint_url(), self.redis.port());
        let bind_address = ("BIND_ADDRESS", "127.0.0.1".to_owned());
        ServiceSettings {
            name,
            port,
            environment: shared
                .into_iter()
                .chain([bind_address])
                .chain(own)
                .collect(),
        }
    }

    fn spool(&self) -> PathBuf {
        self.files.path().join("spool")
    }
}

/// Tells of a taken port before anything is started.
fn check_ports(ports: Ports) -> Result<(), StackError> {
    for (service, port, variable) in [
        (
            "importer-api",
            ports.importer_port,
            "DEVSTACK_IMPORTER_PORT",
        ),
        (
            "billing-worker",
            ports.billing_port,
            "DEVSTACK_BILLING_PORT",
        ),
        ("send-mail-worker", ports.mail_port, "DEVSTACK_MAIL_PORT"),
    ] {
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err();
        if taken {
            return Err(StackError::PortInUse {
                service,
                port,
                variable,
            });
        }
    }
    Ok(())
}
