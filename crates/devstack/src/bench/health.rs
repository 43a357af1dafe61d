//! How long `/health` takes to answer while an import goes on.

use std::{
    io,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::{runtime, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

/// Time between two probes.
const INTERVAL: Duration = Duration::from_millis(20);

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the probes of a run found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Health {
    /// Probes that were answered 200.
    pub(super) answered: usize,
    /// Probes that were not.
    pub(super) failed: usize,
    /// Time to the answer that half of them met.
    pub p50_ms: f64,
    /// That 99 of 100 met.
    pub p99_ms: f64,
    /// The longest.
    pub(super) max_ms: f64,
}

/// Asks again and again, each time on a connection of its own, whether or not those before were
/// answered: a slow answer must not make the probes fewer.
///
/// It has a thread of its own, so that what it measures is not how busy the emulator in this
/// process is.
#[derive(Debug)]
pub(super) struct HealthProbe {
    stop: CancellationToken,
    thread: JoinHandle<Result<Health>>,
}

impl HealthProbe {
    /// Starts to ask the service on that port of this machine.
    pub(super) fn start(port: u16) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("health-probe".to_owned())
            .spawn(move || runtime.block_on(probe(port, stopped)))?;
        Ok(Self { stop, thread })
    }

    /// Stops to ask, and waits for what is not answered yet.
    pub(super) fn finish(self) -> Result<Health> {
        self.stop.cancel();
        let panicked = |_| anyhow!("the health probe panicked");
        self.thread.join().map_err(panicked)?
    }
}

async fn probe(port: u16, stopped: CancellationToken) -> Result<Health> {
    let (http, url) = (client()?, format!("http://127.0.0.1:{port}/health"));
    let mut probes = JoinSet::new();
    let mut due = time::interval(INTERVAL);
    let mut answers = Vec::new();
    loop {
        tokio::select! {
            () = stopped.cancelled() => break,
            _ = due.tick() => {
                probes.spawn(ask(http.clone(), url.clone()));
            }
            Some(answer) = probes.join_next() => answers.push(answer?),
        }
    }
    answers.extend(probes.join_all().await);
    let asked = answers.len();
    let times: Vec<Duration> = answers.into_iter().filter_map(Result::ok).collect();
    let failed = asked - times.len();
    Ok(Health::of(times, failed))
}

/// Each request of it has a connection of its own.
fn client() -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().timeout(DEADLINE);
    builder.pool_max_idle_per_host(0).build()
}

/// Time to the end of the answer, from before the connection on.
async fn ask(http: reqwest::Client, url: String) -> Result<Duration> {
    let asked = Instant::now();
    let answer = http.get(url).send().await?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    answer.bytes().await?;
    Ok(asked.elapsed())
}

impl Health {
    fn of(mut times: Vec<Duration>, failed: usize) -> Self {
        times.sort_unstable();
        let milliseconds =
            |time: Option<&Duration>| time.copied().unwrap_or_default().as_secs_f64() * 1_000.0;
        // The least time that so many of a hundred met.
        let percentile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            milliseconds(times.get(rank.saturating_sub(1)))
        };
        Self {
            answered: times.len(),
            failed,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            max_ms: milliseconds(times.last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();

        let health = Health::of(times, 3);

        assert_eq!((health.answered, health.failed), (200, 3));
        let found = [health.p50_ms, health.p99_ms, health.max_ms];
        for (found, expected) in found.into_iter().zip([100.0, 198.0, 200.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(Health::of(Vec::new(), 0), Health::default());
    }

    #[tokio::test]
    async fn only_a_200_is_an_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            for status in ["200 OK", "503 Service Unavailable"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1_024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });

        let url = format!("http://127.0.0.1:{port}/health");
        let probe = || ask(client().unwrap(), url.clone());
        assert!(probe().await.is_ok());
        assert!(probe().await.is_err());
        server.await.unwrap();
        // Nobody listens any more.
        assert!(probe().await.is_err());
    }

    #[tokio::test]
    async fn a_slow_answer_does_not_make_the_probes_fewer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let probe = HealthProbe::start(listener.local_addr().unwrap().port()).unwrap();
        // None is answered before all of these are there.
        let mut waiting = Vec::new();
        for _ in 0..10 {
            waiting.push(listener.accept().await.unwrap().0);
        }
        for mut stream in waiting {
            let mut request = [0; 1_024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        }
        drop(listener);
        let health = tokio::task::spawn_blocking(|| probe.finish())
            .await
            .unwrap();
        let health = health.unwrap();

        assert_eq!(health.answered, 10);
        assert!(health.max_ms >= 100.0, "{health:?}");
    }
}
