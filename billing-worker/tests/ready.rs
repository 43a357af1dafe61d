//! `GET /ready` names what the worker waits for; `GET /health` does not care.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use billing_worker::{Settings, run};
use testkit::{RunningService, Stack, poll_until};

const LONG: Duration = Duration::from_secs(20);
const READY: &str = r#"{"status":"ready"}"#;

async fn worker(stack: &Stack, further: &[(&'static str, &str)]) -> RunningService {
    let url = &stack.resources().data_process_url;
    let settings = Settings::read(&stack.service_environment(url, further)).unwrap();
    RunningService::start(|listener, stop| run(settings, listener, stop)).await
}

async fn answers(worker: &RunningService, status: u16, body: &str) {
    poll_until(body, LONG, async || {
        (worker.answer("/ready").await == (status, body.to_owned())).then_some(())
    })
    .await;
    assert_eq!(worker.answer("/health").await.0, 200);
}

#[tokio::test]
async fn it_is_not_ready_while_redis_is_away_and_ready_again_by_itself() {
    const WAITING: &str = r#"{"for":["Redis"],"status":"waiting"}"#;
    let mut stack = Stack::start().await;
    stack.kill_redis();
    let patient = [
        ("REDIS_CONNECTION_MAX_RETRIES", "1000"),
        ("REDIS_CONNECTION_RETRY_INTERVAL", "0.05"),
    ];
    let worker = worker(&stack, &patient).await;
    answers(&worker, 503, WAITING).await;
    stack.start_redis().await;
    answers(&worker, 200, READY).await;
    stack.kill_redis();
    answers(&worker, 503, WAITING).await;
    stack.start_redis().await;
    answers(&worker, 200, READY).await;
}

#[tokio::test]
async fn it_names_the_queue_and_the_topic_that_do_not_answer() {
    let stack = Stack::start().await;
    let nowhere = [
        ("SQS_ENDPOINT_URL", "http://127.0.0.1:1"),
        (
            "SNS_TOPIC_ARN",
            "arn:aws:sns:us-east-1:000000000000:no-such-topic",
        ),
    ];
    let worker = worker(&stack, &nowhere).await;
    let waiting = r#"{"for":["SQS","SNS"],"status":"waiting"}"#;
    answers(&worker, 503, waiting).await;
}
