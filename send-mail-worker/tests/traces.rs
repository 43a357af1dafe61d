//! send-mail-worker as a process with traces: the log line of an e-mail.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use serde_json::Value;
use testkit::{Attribute, CollectorMode, ServiceProcess, Stack, TraceCollector, poll_until};

const BINARY: &str = env!("CARGO_BIN_EXE_send-mail-worker");
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn the_line_of_a_mail_names_the_span_in_which_it_was_sent() {
    let stack = Stack::start().await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let queue = &stack.resources().process_email_url;
    let further = [
        ("SQS_QUEUE_URL", queue.clone()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint_url()),
        ("OTEL_SERVICE_NAME", "mail-at-home".to_owned()),
    ];
    let variables = stack.environment().into_iter().chain(further);
    let process = ServiceProcess::start(BINARY, "METRICS_PORT", variables);
    process.healthy().await;
    let body = r#"{"name":"n","government_id":"1","email":"joao@example.com","debt_amount":1.00,"debt_due_date":"2027-03-15","debt_id":"debt-1"}"#;
    let trace = ("traceparent", Attribute::Text(PARENT.to_owned()));
    stack.queues().send(queue, body, [trace]).await.unwrap();
    poll_until("the mail", Duration::from_secs(20), async || {
        stack.depth(queue).await.is_empty().then_some(())
    })
    .await;
    process.terminate();
    let (status, output, errors) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{errors}");
    let line = output.lines().find(|line| line.contains("Mail sent"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    let spans = collector.spans();
    let sending = spans
        .iter()
        .find(|span| span.name == "send e-mails")
        .unwrap();
    assert_eq!(line["debt_id"], "debt-1");
    assert_eq!(line["trace_id"], *sending.trace_id);
    assert_eq!(line["span_id"], *sending.span_id);
    assert!(PARENT.contains(&sending.trace_id));
    assert_eq!(sending.attributes["messaging.system"], "log");
    assert_eq!(sending.service, "mail-at-home");
}
