//! `operator ledger` as a process, on real ledgers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use common::ledger::{
    AnyLedger, Audit, DebtLedger, ImportLedger, NewEvent, SharedLedger, WebhookLedger,
};
use contract::RowId;
use testkit::{Stack, bill_rows, mail_rows, new_import, poll_until, record_sent, tell_rows};
use tokio::process::Command;
use uuid::Uuid;

const LONG: Duration = Duration::from_mins(1);
const ROWS: u64 = 20_000;

fn operator(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command
        .arg("ledger")
        .args(arguments)
        .env_clear()
        .envs(stack.environment())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs it to its end. Gives its exit code and what it said.
async fn ran(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String) {
    let output = operator(stack, arguments).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// An import whose rows are all at their end.
async fn settled(ledger: &SharedLedger, import_id: Uuid) {
    let import = new_import(import_id, ROWS);
    ledger.register_import(&import).await.unwrap();
    let now = jiff::Timestamp::now();
    record_sent(ledger, import_id, ROWS, Some(now)).await;
    let rows: Vec<RowId> = (1..=ROWS).map(|row| RowId { import_id, row }).collect();
    for rows in rows.chunks(1_000) {
        bill_rows(ledger, rows).await;
        tell_rows(ledger, rows).await;
        mail_rows(ledger, rows).await;
    }
}

#[tokio::test]
async fn a_copy_that_is_killed_twice_and_started_again_knows_everything() {
    let (stack, other) = (Stack::start().await, Stack::start().await);
    let (from, to) = (stack.ledger().await, other.ledger().await);
    let import_id = Uuid::now_v7();
    settled(&from, import_id).await;
    from.reserve_numbers("our-number:a", ROWS).await.unwrap();
    let url = other.redis_url();
    let arguments = ["copy", "--to", &url];
    for part in [ROWS / 10, ROWS / 2] {
        let mut copying = operator(&stack, &arguments).spawn().unwrap();
        poll_until("a part to be copied", LONG, async || {
            let billed = to.outcome_counts(import_id).await.unwrap().billed;
            (billed >= part).then_some(())
        })
        .await;
        copying.kill().await.unwrap();
        assert!(to.outcome_counts(import_id).await.unwrap().mailed < ROWS);
    }
    let (code, said) = ran(&stack, &arguments).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 imports of 20000 rows"), "{said}");
    for ledger in [&from, &to] {
        let audit = Audit::of(ledger, import_id).await.unwrap().unwrap();
        assert!(audit.holds(), "{audit}");
    }
    let next = to.reserve_numbers("our-number:a", 1).await.unwrap();
    assert_eq!(next, ROWS + 1..ROWS + 2);
    assert!(!said.contains("redis://"), "{said}");
}

#[tokio::test]
async fn a_ledger_that_has_imports_of_its_own_is_left_alone_and_the_source_open() {
    let (stack, other) = (Stack::start().await, Stack::start().await);
    let (from, to) = (stack.ledger().await, other.ledger().await);
    let [source, live] = [Uuid::now_v7(), Uuid::now_v7()];
    for (ledger, import_id) in [(&from, source), (&to, live)] {
        let import = new_import(import_id, 1);
        ledger.register_import(&import).await.unwrap();
    }
    let (code, said) = ran(&stack, &["copy", "--to", &other.redis_url()]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&live.to_string()), "{said}");
    assert!(to.import_status(source).await.unwrap().is_none());
    let row = RowId {
        import_id: source,
        row: 1,
    };
    bill_rows(&from, &[row]).await;
}

#[tokio::test]
async fn a_ledger_is_not_copied_into_itself_by_another_name() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let itself = stack.redis_url().replace("127.0.0.1", "localhost");
    let (code, said) = ran(&stack, &["copy", "--to", &itself]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the same ledger"), "{said}");
    ledger.ping().await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_is_left_refuses_services_until_it_is_opened() {
    let (stack, other) = (Stack::start().await, Stack::start().await);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("ledger");
    fs::write(&secret, format!("{}\n", other.redis_url())).unwrap();
    let to = format!("file:{}", secret.display());
    let (code, said) = ran(&stack, &["copy", "--to", &to]).await;
    assert_eq!(code, Some(0), "{said}");
    // The audit is a look at the ledger as services have it.
    let audit = async || {
        let id = Uuid::nil().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
        let command = command.args(["audit", "--import", &id]).env_clear();
        let output = command.envs(stack.environment()).output().await.unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(audit().await.contains("closed"));
    let (code, said) = ran(&other, &["copy", "--to", &stack.redis_url()]).await;
    assert_eq!(code, Some(64), "{said}");
    let (code, said) = ran(&stack, &["open"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(audit().await.contains("knows no import"));
    other.ledger().await.ping().await.unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_one_line_without_its_secret() {
    let stack = Stack::start().await;
    for url in [
        "redis://:s3cret@127.0.0.1:1/0",
        "http://user:s3cret@host",
        "redis://user:s3cret@[::1",
        "file:/nowhere/s3cret-is-not-in-a-path",
    ] {
        let mut command = operator(&stack, &["copy", "--to", url]);
        let output = command
            .env("REDIS_CONNECTION_MAX_RETRIES", "0")
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(!said.contains(":s3cret"), "{said}");
    }
}

#[tokio::test]
async fn webhooks_that_were_given_up_are_sent_again() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let id = Uuid::now_v7();
    ledger.note_imports(&[id]).await.unwrap();
    let event = NewEvent {
        id,
        kind: "import.completed".to_owned(),
        body: "{}".to_owned(),
    };
    ledger.tell_of_import(id, Some(&event), true).await.unwrap();
    ledger.give_up_event(id).await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    let command = command.arg("retry-webhooks").env_clear();
    let output = command.envs(stack.environment()).output().await.unwrap();
    assert_eq!(output.stdout, b"1 events are sent again\n", "{output:?}");
    let taken = ledger.take_events(10, LONG).await.unwrap();
    assert_eq!((taken.len(), taken[0].event.id), (1, id));
}
