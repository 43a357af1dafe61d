//! importer-api as a process: exit codes and signals.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use testkit::{
    ServiceProcess, Stack, assert_ends_at_sigterm, assert_refuses, assert_tells_its_health,
};

const BINARY: &str = env!("CARGO_BIN_EXE_importer-api");

fn variables(stack: &Stack, spool: &str) -> Vec<(&'static str, String)> {
    let own = [
        ("SQS_QUEUE_URL", stack.resources().data_process_url.clone()),
        ("SPOOL_DIR", spool.to_owned()),
    ];
    stack.environment().into_iter().chain(own).collect()
}

#[tokio::test]
async fn sigterm_ends_it_with_exit_code_0() {
    let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
    let spool = spool.path().to_str().unwrap();
    assert_ends_at_sigterm(BINARY, "PORT", &variables(&stack, spool)).await;
}

#[tokio::test]
async fn a_wrong_setting_ends_it_with_64_and_one_line_that_names_it() {
    let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
    let spool = spool.path().to_str().unwrap();
    let wrong = [
        ("SQS_QUEUE_URL", "data-process"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("MAX_SQS_SEND_MESSAGE_BATCH_SIZE", "11"),
        ("ROWS_PER_MESSAGE", "101"),
        ("MAX_CSV_PROCESS_CONCURRENT_TASKS", "many"),
        ("MAX_OPEN_IMPORTS", "0"),
        ("REDIS_PORT", "0"),
        ("SPOOL_DIR", "/dev/null/spool"),
        ("MAX_CONCURRENT_UPLOADS", "0"),
        ("MAX_ROWS", "0"),
        ("ALLOWED_HOSTS", "http://billing.example.com"),
        ("UPLOAD_IDLE_TIMEOUT", "0"),
        ("API_TOKENS", "fifteen-letters"),
        ("WEBHOOK_ALLOW_PRIVATE", "true"),
        ("WEBHOOK_URL", "http://example.com/"),
    ];
    assert_refuses(BINARY, "PORT", &variables(&stack, spool), &wrong).await;
}

#[tokio::test]
async fn a_wrong_token_is_not_told() {
    let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
    let tokens = (
        "API_TOKENS",
        "a-good-and-long-token,fifteen-letters".to_owned(),
    );
    let variables = variables(&stack, spool.path().to_str().unwrap());
    let process = ServiceProcess::start(BINARY, "PORT", variables.into_iter().chain([tokens]));
    let (status, output, errors) = process.ended().await;
    assert_eq!(status.code(), Some(64));
    assert!(errors.starts_with("API_TOKENS is \"(hidden)\""), "{errors}");
    for token in ["a-good-and-long-token", "fifteen-letters"] {
        assert!(!output.contains(token) && !errors.contains(token));
    }
}

#[tokio::test]
async fn an_open_api_that_others_can_reach_is_warned_of() {
    let stack = Stack::start().await;
    for (tokens, address, is_warned_of) in [
        ("", "0.0.0.0", true),
        ("a-good-and-long-token", "0.0.0.0", false),
        ("", "127.0.0.1", false),
    ] {
        let spool = tempfile::tempdir().unwrap();
        let more = [
            ("API_TOKENS", tokens.to_owned()),
            ("BIND_ADDRESS", address.to_owned()),
        ];
        let variables = variables(&stack, spool.path().to_str().unwrap());
        let process = ServiceProcess::start(BINARY, "PORT", variables.into_iter().chain(more));
        process.healthy().await;
        process.terminate();
        let (_, output, _) = process.ended().await;
        assert_eq!(output.contains("set API_TOKENS"), is_warned_of, "{output}");
    }
}

#[tokio::test]
async fn it_tells_whether_it_is_alive() {
    let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
    let spool = spool.path().to_str().unwrap();
    assert_tells_its_health(BINARY, "PORT", &variables(&stack, spool)).await;
}
