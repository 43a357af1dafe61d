//! An importer with a spool of its own, for the tests of this crate.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use importer_api::Settings;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{RunningService, Stack, poll_until};
use uuid::Uuid;

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Uploads a file, and gives its import.
pub(crate) async fn upload(service: &RunningService, file: impl Into<Vec<u8>>) -> Uuid {
    let form = Form::new().part("file", Part::bytes(file.into()).file_name("debts.csv"));
    let url = format!("{}/v1/upload", service.url());
    let request = reqwest::Client::new().post(url).multipart(form);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["import_id"].as_str().unwrap().parse().unwrap()
}

/// Waits until the service has reached what it needs.
pub(crate) async fn ready(service: &RunningService) {
    poll_until("the service to be ready", LONG, async || {
        let (status, _) = service.answer("/ready").await;
        (status == 200).then_some(())
    })
    .await;
}

/// Queue, Redis and spool, which outlive the service.
pub(crate) struct Importer {
    pub(crate) stack: Stack,
    pub(crate) spool: TempDir,
}

impl Importer {
    pub(crate) async fn new() -> Self {
        let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
        Self { stack, spool }
    }

    /// An importer that has reached ledger and queue.
    pub(crate) async fn start(&self) -> RunningService {
        let service = self.start_with(&[]).await;
        ready(&service).await;
        service
    }

    /// An importer with these variables, which may name what cannot be reached.
    pub(crate) async fn start_with(&self, further: &[(&'static str, &str)]) -> RunningService {
        let spool = self.spool.path().to_str().unwrap();
        let more = [&[("SPOOL_DIR", spool)], further].concat();
        let queue = &self.stack.resources().data_process_url;
        let settings = Settings::read(&self.stack.service_environment(queue, &more)).unwrap();
        RunningService::start(|listener, stop| importer_api::run(settings, listener, stop)).await
    }
}
