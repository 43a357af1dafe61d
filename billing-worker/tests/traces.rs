//! billing-worker as a process with traces: its log, and collectors that do not take its spans.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{
    CollectorMode, CsvRow, ServiceProcess, Stack, TraceCollector, free_port, poll_until,
};

const LONG: Duration = Duration::from_secs(20);
const BINARY: &str = env!("CARGO_BIN_EXE_billing-worker");

/// Sends messages, of which the last one is bad, to a process whose spans go
/// there; waits until they are deleted, and ends it. Gives the lines of its log
/// and how long it took to end.
async fn run(endpoint: &str, messages: usize) -> (Vec<Value>, Duration) {
    let stack = Stack::start().await;
    let queue = &stack.resources().data_process_url;
    let further = [
        ("SQS_QUEUE_URL", queue.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ];
    let further = further.map(|(name, value)| (name, value.to_owned()));
    let variables = stack.environment().into_iter().chain(further);
    let process = ServiceProcess::start(BINARY, "METRICS_PORT", variables);
    process.healthy().await;
    for number in 1..messages {
        let body = CsvRow::valid(number.to_string()).line();
        stack.queues().send(queue, body, []).await.unwrap();
    }
    stack.queues().send(queue, "bad", []).await.unwrap();
    poll_until("the messages to be deleted", LONG, async || {
        stack.depth(queue).await.is_empty().then_some(())
    })
    .await;
    let told = Instant::now();
    process.terminate();
    let (status, log, errors) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{errors}");
    let topic = stack.take_all(&stack.resources().process_email_url).await;
    assert_eq!(topic.len(), messages - 1);
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), told.elapsed())
}

#[tokio::test]
async fn a_line_that_is_logged_within_a_span_names_it() {
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let (lines, _) = run(&collector.endpoint_url(), 2).await;
    let spans = collector.spans();
    let line = |message: &str| {
        let has = |line: &&Value| line["message"].as_str().unwrap().starts_with(message);
        lines.iter().find(has).unwrap()
    };
    let within = line("Rows are INVALID");
    let span = spans
        .iter()
        .find(|span| within["span_id"] == *span.span_id)
        .unwrap();
    assert_eq!(span.name, "process data-process");
    assert_eq!(within["trace_id"], *span.trace_id);
    assert_eq!(within["reason"], "field_count");
    for field in ["trace_id", "span_id"] {
        assert_eq!(line("Listening")[field], Value::Null);
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_or_silent_or_full_holds_nothing_up_and_is_one_line() {
    let (silent, full) = tokio::join!(
        TraceCollector::start(CollectorMode::Silent),
        TraceCollector::start(CollectorMode::Refuses),
    );
    let (silent, full) = (silent.unwrap(), full.unwrap());
    let gone = format!("http://127.0.0.1:{}", free_port().unwrap());
    let endpoints = [gone, silent.endpoint_url(), full.endpoint_url()];
    let runs = endpoints.each_ref().map(|endpoint| run(endpoint, 60));
    for (lines, ending) in futures::future::join_all(runs).await {
        let of_spans = lines.iter().filter(|line| {
            let text = [&line["message"], &line["target"], &line["error"]];
            let text = text.map(|part| part.as_str().unwrap_or_default());
            let text = text.join(" ").to_lowercase();
            text.contains("span") || text.contains("telemetry") || text.contains("otlp")
        });
        let of_spans: Vec<_> = of_spans.collect();
        assert_eq!(of_spans.len(), 1, "{of_spans:?}");
        assert_eq!(of_spans[0]["level"], "WARN");
        assert!(of_spans[0]["spans"].as_u64().unwrap() > 0);
        assert!(ending < Duration::from_secs(5), "{ending:?}");
    }
    assert!(silent.requests() > 0 && full.requests() > 0);
}
