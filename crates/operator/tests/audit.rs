//! `operator audit` as a process, on a real ledger.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::Output;

use common::ledger::{EndedRow, ImportLedger, RowLedger, Unbilled};
use contract::{InvalidReason, RowId};
use testkit::{Stack, bill_rows, mail_rows, new_import, record_sent, tell_rows};
use tokio::process::Command;
use uuid::Uuid;

async fn audit(stack: &Stack, import_id: Uuid) -> Output {
    Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(["audit", "--import", &import_id.to_string()])
        .env_clear()
        .envs(stack.environment())
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn an_import_is_proved_or_the_rows_that_break_a_law_are_named() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, 4))
        .await
        .unwrap();
    record_sent(&ledger, import_id, 4, None).await;
    let row = |row| RowId { import_id, row };
    let billed = [row(1), row(2)];
    bill_rows(&ledger, &billed).await;
    tell_rows(&ledger, &billed).await;
    mail_rows(&ledger, &billed).await;
    ledger
        .end_rows(Unbilled::Skipped, &[EndedRow::from(row(3))])
        .await
        .unwrap();

    let found = audit(&stack, import_id).await;
    assert_eq!(found.status.code(), Some(1));
    let proof = text(&found.stdout);
    assert!(
        proof.contains("BROKEN  every row that was sent has an outcome: 1 rows (4)"),
        "{proof}"
    );
    assert!(text(&found.stderr).contains("reconcile"));

    let invalid = EndedRow {
        row: row(4),
        reason: Some(InvalidReason::NameEmpty.into()),
    };
    ledger
        .end_rows(Unbilled::Invalid, &[invalid])
        .await
        .unwrap();
    let found = audit(&stack, import_id).await;
    let proof = text(&found.stdout);
    assert_eq!(found.status.code(), Some(0), "{proof}");
    assert_eq!(proof.matches("holds").count(), 8, "{proof}");
    assert!(!proof.contains("BROKEN"), "{proof}");

    let unknown = audit(&stack, Uuid::nil()).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("/v1/imports"));
}
