//! send-mail-worker as a process: its log line, exit codes and signals.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod one_mail;

use one_mail::send_and_stop;
use testkit::{ServiceProcess, Stack, assert_refuses, assert_tells_its_health};

const BINARY: &str = env!("CARGO_BIN_EXE_send-mail-worker");

fn variables(stack: &Stack) -> Vec<(&'static str, String)> {
    let queue = ("SQS_QUEUE_URL", stack.resources().process_email_url.clone());
    stack.environment().into_iter().chain([queue]).collect()
}

#[tokio::test]
async fn it_logs_each_mail_whatever_the_log_level_and_sigterm_ends_it_with_0() {
    let stack = Stack::start().await;
    let mut variables = variables(&stack);
    variables.push(("LOG_LEVEL", "ERROR".into()));
    let process = ServiceProcess::start(BINARY, "METRICS_PORT", variables);
    let output = send_and_stop(process, &stack, []).await;
    let lines: Vec<serde_json::Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert_eq!(lines[0]["message"], "Mail sent");
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["debt_id"], "debt-1");
    assert!(!output.contains("joao@example.com"));
    // Traces are off.
    assert!(!output.contains("trace_id"), "{output}");
}

#[tokio::test]
async fn a_wrong_setting_ends_it_with_64_and_one_line_that_names_it() {
    let stack = Stack::start().await;
    let wrong = [
        ("SQS_QUEUE_URL", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("SQS_WAIT_TIME_SECONDS", "21"),
        ("LOG_LEVEL", "LOUD"),
        ("BIND_ADDRESS", "everywhere"),
        ("MAIL_TRANSPORT", "pigeon"),
        ("MAIL_MAX_PER_SECOND", "-1"),
    ];
    assert_refuses(BINARY, "METRICS_PORT", &variables(&stack), &wrong).await;
}

#[tokio::test]
async fn it_tells_whether_it_is_alive() {
    let stack = Stack::start().await;
    assert_tells_its_health(BINARY, "METRICS_PORT", &variables(&stack)).await;
}
