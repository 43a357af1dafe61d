use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior};

use super::dependencies::DependencyGauges;
use crate::runtime::ReadyProbe;

/// Longest time that a dependency may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is used again, so that who asks often is no load.
const REUSED_FOR: Duration = Duration::from_secs(1);
/// Time between two looks for the gauges.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// When to ask again, in seconds.
const RETRY_AFTER: &str = "5";

/// What a service cannot work without: `GET /ready` asks whether each of it
/// answers. Cloning shares the probes and what they found.
#[derive(Clone, Default)]
pub struct Readiness {
    probes: Arc<Vec<(&'static str, ReadyProbe)>>,
    found: Arc<Mutex<Option<Found>>>,
    gauges: Option<DependencyGauges>,
}

struct Found {
    at: Instant,
    /// What did not answer and why, in the order of the probes.
    away: Vec<(&'static str, Option<String>)>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.probes.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Readiness {
    /// Of these dependencies. A probe says whether its dependency answers; one
    /// that takes longer than two seconds counts as none that does.
    pub fn of(probes: impl IntoIterator<Item = (&'static str, ReadyProbe)>) -> Self {
        Self {
            probes: Arc::new(probes.into_iter().collect()),
            found: Arc::default(),
            gauges: None,
        }
    }

    /// The same; what is found is shown in these gauges, which are 0 until
    /// somebody asked.
    #[must_use]
    pub(super) fn shown(mut self, gauges: DependencyGauges) -> Self {
        for (name, _) in self.probes.iter() {
            gauges.set(name, false);
        }
        self.gauges = Some(gauges);
        self
    }

    /// Names of what does not answer, at most a second old. Probes run side by
    /// side, and once for all who ask at the same time.
    pub async fn away(&self) -> Vec<&'static str> {
        let away = self.explained().await;
        away.into_iter().map(|(name, _)| name).collect()
    }

    /// The same with the reasons.
    async fn explained(&self) -> Vec<(&'static str, Option<String>)> {
        let mut found = self.found.lock().await;
        if let Some(found) = found.as_ref()
            && found.at.elapsed() < REUSED_FOR
        {
            return found.away.clone();
        }
        let answers = join_all(self.probes.iter().map(|(name, probe)| async move {
            let answers = tokio::time::timeout(PROBE_TIMEOUT, probe.ask()).await;
            let why = answers.unwrap_or(Err(None)).err()?;
            Some((*name, why))
        }));
        let away: Vec<_> = answers.await.into_iter().flatten().collect();
        if let Some(gauges) = &self.gauges {
            for (name, _) in self.probes.iter() {
                gauges.set(name, !away.iter().any(|(away, _)| away == name));
            }
        }
        *found = Some(Found {
            at: Instant::now(),
            away: away.clone(),
        });
        away
    }

    /// Asks every ten seconds, so that the gauges are right where nobody else
    /// asks.
    pub(super) async fn watch(self) -> Infallible {
        let mut looks = tokio::time::interval(WATCH_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.away().await;
        }
    }

    /// The answer to `GET /ready`.
    pub(super) async fn answer(&self) -> Response {
        let away = self.explained().await;
        if away.is_empty() {
            return Json(json!({"status": "ready"})).into_response();
        }
        let names: Vec<_> = away.iter().map(|(name, _)| *name).collect();
        let mut waiting = json!({"status": "waiting", "for": names});
        let why = away
            .iter()
            .filter_map(|(name, why)| Some((*name, why.as_deref()?)));
        let why: BTreeMap<_, _> = why.collect();
        if !why.is_empty() {
            waiting["why"] = json!(why);
        }
        let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
        (StatusCode::SERVICE_UNAVAILABLE, headers, Json(waiting)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::runtime::AppRegistry;

    fn probe(asked: &Arc<AtomicUsize>, answer: bool) -> ReadyProbe {
        ReadyProbe::new(asked, move |asked| async move {
            asked.fetch_add(1, Ordering::Relaxed);
            answer
        })
    }

    #[tokio::test(start_paused = true)]
    async fn it_names_what_does_not_answer_in_time() {
        let asked = Arc::new(AtomicUsize::new(0));
        let hangs = ReadyProbe::new(&(), |()| std::future::pending());
        let also_hangs = ReadyProbe::new(&(), |()| std::future::pending());
        let explained = ReadyProbe::explained(&(), |()| async { Err(Some("it says no".into())) });
        let readiness = Readiness::of([
            ("up", probe(&asked, true)),
            ("hangs", hangs),
            ("down", explained),
            ("also hangs", also_hangs),
        ]);
        let started = Instant::now();
        assert_eq!(readiness.away().await, ["hangs", "down", "also hangs"]);
        assert_eq!(
            started.elapsed(),
            PROBE_TIMEOUT,
            "they are asked side by side"
        );
        let answer = readiness.answer().await;
        assert_eq!(answer.status(), 503);
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(body["why"], json!({"down": "it says no"}));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_again_for_a_second() {
        let asked = Arc::new(AtomicUsize::new(0));
        let readiness = Readiness::of([("up", probe(&asked, true))]);
        let (first, second) = tokio::join!(readiness.answer(), readiness.answer());
        assert_eq!(
            (first.status(), second.status()),
            (StatusCode::OK, StatusCode::OK)
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(REUSED_FOR).await;
        readiness.away().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_gauges_follow_what_answers() {
        let up = Arc::new(AtomicBool::new(false));
        let flaky = ReadyProbe::new(&up, |up| async move { up.load(Ordering::Relaxed) });
        let asked = Arc::new(AtomicUsize::new(0));
        let registry = AppRegistry::new("a").unwrap();
        let gauges = DependencyGauges::new(&registry).unwrap();
        let readiness =
            Readiness::of([("flaky", flaky), ("up", probe(&asked, true))]).shown(gauges);
        let shown = |name: &str, value: u8| {
            let line = format!("dependency_up{{dependency=\"{name}\",app=\"a\"}} {value}");
            registry.render().unwrap().contains(&line)
        };
        assert!(shown("flaky", 0) && shown("up", 0));
        let follows = async {
            tokio::time::sleep(WATCH_INTERVAL / 2).await;
            assert!(shown("flaky", 0) && shown("up", 1));
            up.store(true, Ordering::Relaxed);
            tokio::time::sleep(WATCH_INTERVAL).await;
            assert!(shown("flaky", 1) && shown("up", 1));
            up.store(false, Ordering::Relaxed);
            tokio::time::sleep(WATCH_INTERVAL).await;
            assert!(shown("flaky", 0) && shown("up", 1));
        };
        tokio::select! {
            never = readiness.watch() => match never {},
            () = follows => {}
        }
    }
}
