//! send-mail-worker as a process with traces: the log line of an e-mail.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod one_mail;

use one_mail::send_and_stop;
use serde_json::Value;
use testkit::{Attribute, CollectorMode, ServiceProcess, Stack, TraceCollector};

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
    let trace = ("traceparent", Attribute::Text(PARENT.to_owned()));
    let output = send_and_stop(process, &stack, [trace]).await;
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
