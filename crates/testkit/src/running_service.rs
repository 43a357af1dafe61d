//! A service in the test's own process.

use std::{future::Future, time::Duration};

use common::runtime::ServiceError;
use tokio::{net::TcpListener, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use crate::sample;

/// Longest wait for a service to stop: what the services promise, and a little more.
const STOP_DEADLINE: Duration = Duration::from_secs(27);

/// A service that runs on a port of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningService {
    url: String,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), ServiceError>>>,
}

impl RunningService {
    /// Starts the `run` function of a service.
    pub async fn start<F, R>(run: F) -> Self
    where
        F: FnOnce(TcpListener, CancellationToken) -> R,
        R: Future<Output = Result<(), ServiceError>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let stop = CancellationToken::new();
        let task = Some(tokio::spawn(run(listener, stop.clone())));
        Self { url, stop, task }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The text of a route.
    pub async fn get(&self, route: &str) -> String {
        let answer = reqwest::get(format!("{}{route}", self.url)).await;
        answer.expect("an answer").text().await.expect("a text")
    }

    /// The status code and the text of a route.
    pub async fn answer(&self, route: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{route}", self.url)).await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("a text"))
    }

    /// The value of a metric as it is scraped; panics if it is not there.
    pub async fn metric(&self, name: &str) -> u64 {
        sample(&self.get("/metrics").await, name)
    }

    /// Tells it to stop as SIGTERM does, and waits until it has.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        self.stop.cancel();
        let task = self.task.take().expect("it is stopped once");
        time::timeout(STOP_DEADLINE, task)
            .await
            .expect("it stops in time")
            .expect("it does not panic")
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
