//! importer-api as a process: exit codes and signals.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use testkit::{Stack, assert_ends_at_sigterm, assert_refuses};

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
        ("MAX_SQS_SEND_MESSAGE_BATCH_SIZE", "11"),
        ("MAX_CSV_PROCESS_CONCURRENT_TASKS", "many"),
        ("REDIS_PORT", "0"),
        ("SPOOL_DIR", "/dev/null/spool"),
    ];
    assert_refuses(BINARY, "PORT", &variables(&stack, spool), &wrong).await;
}
