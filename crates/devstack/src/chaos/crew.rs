//! The services of a run, as processes that are killed and started again.

use std::{collections::BTreeMap, fs, path::PathBuf};

use fastrand::Rng;

use super::{ChaosError, failed};
use crate::services::{Logs, Service, ServiceSettings};
use emulators::free_port;

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Importer,
    Billing,
    Mail,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Importer, Self::Billing, Self::Mail];

    /// Name of the service and of its binary.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Importer => "importer-api",
            Self::Billing => "billing-worker",
            Self::Mail => "send-mail-worker",
        }
    }

    fn port_variable(self) -> &'static str {
        match self {
            Self::Importer => "PORT",
            Self::Billing | Self::Mail => "METRICS_PORT",
        }
    }
}

/// One place in the crew: the same port and variables for each process that takes it.
#[derive(Debug)]
struct Place {
    kind: Kind,
    number: usize,
    settings: ServiceSettings,
    logs: Vec<PathBuf>,
    running: Option<Service>,
}

/// The services of a run.
#[derive(Debug)]
pub(super) struct Crew {
    places: Vec<Place>,
    logs: PathBuf,
    kills: BTreeMap<Kind, u64>,
    http: reqwest::Client,
}

impl Crew {
    /// Nobody yet. Each process has a log of its own in that directory.
    pub(super) fn new(logs: PathBuf) -> Result<Self, ChaosError> {
        fs::create_dir_all(&logs).map_err(failed(format!("cannot create `{}`", logs.display())))?;
        Ok(Self {
            places: Vec::new(),
            logs,
            kills: BTreeMap::new(),
            http: reqwest::Client::new(),
        })
    }

    /// Starts a further service and waits until it answers.
    pub(super) async fn hire(
        &mut self,
        kind: Kind,
        mut environment: Vec<(&'static str, String)>,
    ) -> Result<(), ChaosError> {
        let port = free_port().map_err(failed("no free port"))?;
        environment.push((kind.port_variable(), port.to_string()));
        let number = self.of(kind).count() + 1;
        let mut place = Place {
            kind,
            number,
            settings: ServiceSettings {
                name: kind.name(),
                port,
                environment,
            },
            logs: Vec::new(),
            running: None,
        };
        place.start(&self.logs, &self.http).await?;
        self.places.push(place);
        Ok(())
    }

    /// Kills one service of a kind with SIGKILL, any of them, and starts it again at once.
    pub(super) async fn kill_and_restart(
        &mut self,
        kind: Kind,
        random: &mut Rng,
    ) -> Result<(), ChaosError> {
        self.kill(kind, random);
        self.start_missing().await
    }

    /// Kills one service of a kind with SIGKILL, any of them.
    pub(super) fn kill(&mut self, kind: Kind, random: &mut Rng) {
        let of_kind = self.places.iter_mut().filter(|place| place.kind == kind);
        if let Some(place) = random.choice(of_kind.collect::<Vec<_>>()) {
            drop(place.running.take());
            *self.kills.entry(kind).or_default() += 1;
        }
    }

    /// Starts what was killed, and waits until it answers.
    pub(super) async fn start_missing(&mut self) -> Result<(), ChaosError> {
        for place in &mut self.places {
            if place.running.is_none() {
                place.start(&self.logs, &self.http).await?;
            }
        }
        Ok(())
    }

    /// How often services of a kind were killed.
    pub(super) fn kills(&self, kind: Kind) -> u64 {
        self.kills.get(&kind).copied().unwrap_or_default()
    }

    /// Where the first service of a kind answers.
    pub(super) fn url(&self, kind: Kind) -> String {
        let port = self.of(kind).next().map_or(0, |place| place.settings.port);
        format!("http://127.0.0.1:{port}")
    }

    /// The logs of all processes of a kind, those that were killed included.
    pub(super) fn logs(&self, kind: Kind) -> impl Iterator<Item = &PathBuf> {
        self.of(kind).flat_map(|place| &place.logs)
    }

    /// An error if a service has ended that nobody killed.
    pub(super) fn check(&mut self) -> Result<(), ChaosError> {
        for place in &mut self.places {
            if let Some(service) = &mut place.running {
                service.check()?;
            }
        }
        Ok(())
    }

    /// Tells all to stop. Gives the names of those that did not end with exit code 0.
    pub(super) async fn dismiss(&mut self) -> Vec<&'static str> {
        let running: Vec<_> = self
            .places
            .iter_mut()
            .filter_map(|place| place.running.take())
            .collect();
        for service in &running {
            service.terminate();
        }
        let mut unclean = Vec::new();
        for service in running {
            let name = service.name();
            if !service.ended().await.is_some_and(|status| status.success()) {
                unclean.push(name);
            }
        }
        unclean
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| place.kind == kind)
    }
}

impl Place {
    async fn start(
        &mut self,
        logs: &std::path::Path,
        http: &reqwest::Client,
    ) -> Result<(), ChaosError> {
        let (name, number, start) = (self.kind.name(), self.number, self.logs.len() + 1);
        let log = logs.join(format!("{name}-{number}.{start}.log"));
        let logs = Logs::File(log.clone());
        let mut service = Service::start(self.settings.clone(), &logs).await?;
        self.logs.push(log);
        service.ready(http).await?;
        self.running = Some(service);
        Ok(())
    }
}
