//! The services of a run, as processes that are killed and started again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use emulators::free_port;
use fastrand::Rng;

use crate::services::{Kind, Logs, Service, ServiceSettings, Variable, stop_all};

/// One place in the crew: the same port and variables for each process that takes it.
#[derive(Debug)]
struct Place {
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
    pub(super) fn new(logs: PathBuf) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("cannot create `{}`", logs.display()))?;
        Ok(Self {
            places: Vec::new(),
            logs,
            kills: BTreeMap::new(),
            http: crate::http::client(),
        })
    }

    /// Starts a further service and waits until it answers.
    pub(super) async fn hire(&mut self, kind: Kind, environment: Vec<Variable>) -> Result<()> {
        let port = free_port().context("no free port")?;
        let number = self.of(kind).count() + 1;
        let mut place = Place {
            number,
            settings: ServiceSettings {
                kind,
                port,
                environment,
                callgrind: None,
            },
            logs: Vec::new(),
            running: None,
        };
        place.start(&self.logs, &self.http).await?;
        self.places.push(place);
        Ok(())
    }

    /// Kills one service of a kind with SIGKILL, any of them, and starts it again at once.
    pub(super) async fn kill_and_restart(&mut self, kind: Kind, random: &mut Rng) -> Result<()> {
        self.kill(kind, random);
        self.start_missing().await
    }

    /// Kills one service of a kind with SIGKILL, any of them.
    pub(super) fn kill(&mut self, kind: Kind, random: &mut Rng) {
        let numbers: Vec<usize> = self.of(kind).map(|place| place.number).collect();
        if let Some(number) = random.choice(numbers) {
            self.kill_number(kind, number);
        }
    }

    /// Starts what was killed, and waits until it answers.
    pub(super) async fn start_missing(&mut self) -> Result<()> {
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

    /// Where the services of a kind answer.
    pub(super) fn urls(&self, kind: Kind) -> Vec<String> {
        let ports = self.of(kind).map(|place| place.settings.port);
        ports
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect()
    }

    /// Kills one service of a kind with SIGKILL. Gives the log of its process.
    pub(super) fn kill_number(&mut self, kind: Kind, number: usize) -> Option<PathBuf> {
        let place = self.place(kind, number)?;
        drop(place.running.take()?);
        let log = place.logs.last().cloned();
        *self.kills.entry(kind).or_default() += 1;
        log
    }

    /// One service of a kind, where it runs.
    pub(super) fn number(&mut self, kind: Kind, number: usize) -> Option<&Service> {
        self.place(kind, number)?.running.as_ref()
    }

    /// Starts one that was killed, and waits until it answers.
    pub(super) async fn start_number(&mut self, kind: Kind, number: usize) -> Result<()> {
        let (logs, http) = (self.logs.clone(), self.http.clone());
        match self.place(kind, number) {
            Some(place) => place.start(&logs, &http).await,
            None => Ok(()),
        }
    }

    fn place(&mut self, kind: Kind, number: usize) -> Option<&mut Place> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.settings.kind == kind && place.number == number)
    }

    /// The logs of all processes of a kind, those that were killed included.
    pub(super) fn logs(&self, kind: Kind) -> impl Iterator<Item = &PathBuf> {
        self.of(kind).flat_map(|place| &place.logs)
    }

    /// An error if a service has ended that nobody killed.
    pub(super) fn check(&mut self) -> Result<()> {
        let places = self.places.iter_mut();
        let mut running = places.filter_map(|place| place.running.as_mut());
        running.try_for_each(Service::check)
    }

    /// Tells all to stop. An error that names those that did not end with exit code 0.
    pub(super) async fn dismiss(&mut self) -> Result<()> {
        let places = self.places.iter_mut();
        stop_all(places.filter_map(|place| place.running.take()).collect()).await
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Place> {
        self.places
            .iter()
            .filter(move |place| place.settings.kind == kind)
    }
}

impl Place {
    async fn start(&mut self, logs: &Path, http: &reqwest::Client) -> Result<()> {
        let (name, number, start) = (self.settings.kind.name(), self.number, self.logs.len() + 1);
        let log = logs.join(format!("{name}-{number}.{start}.log"));
        let logs = Logs::File(log.clone());
        let mut service = Service::start(self.settings.clone(), &logs).await?;
        self.logs.push(log);
        service.ready(http).await?;
        self.running = Some(service);
        Ok(())
    }
}
