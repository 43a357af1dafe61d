//! The three services together where a mail server does not take an e-mail: not now, or never.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::time::Duration;

use common::ledger::Audit;
use contract::Reason;
use send_mail_worker::patience::Patience;
use serde_json::Value;
use suite::Suite;
use testkit::smtp_server::{Act, Fault, SmtpServer, Stage};
use testkit::{CsvFile, CsvRow, poll_until};

fn refusal(code: &'static str) -> Reason {
    Reason {
        code: code.into(),
        text: "550 5.1.1".into(),
    }
}

/// Never ends, and waits a second.
fn patience() -> Patience {
    Patience {
        waits: vec![Duration::from_secs(1)],
        most: u32::MAX,
    }
}

#[tokio::test]
async fn a_full_mailbox_makes_its_import_wait_and_reconciling_adds_no_copies() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[]).await;
    suite.start_patient_mailing(&[], patience()).await;
    suite.mails.defer("debt-2", u32::MAX);
    let import_id = suite.upload(CsvFile::new().valid_rows(20).bytes()).await;
    let import = suite.in_state(import_id, "waiting").await;
    assert_eq!(import["rows"]["mailed"], 19);
    assert_eq!(import["rows"]["put_off"], 1);
    assert!(import["put_off"]["first_try_at"].is_string());
    let audit = Audit::of(&suite.ledger, import_id).await.unwrap().unwrap();
    assert!(audit.waits() && !audit.holds(), "{audit}");

    for _ in 0..3 {
        let again = suite.ask(import_id, "reconcile").await;
        assert_eq!(
            (&again["put_off"], &again["not_mailed"]),
            (&1.into(), &0.into())
        );
    }
    // However often it is put off, there is one message of it, and at times the copy of it.
    let asked = suite.mails.asked("debt-2");
    poll_until("three more tries", Duration::from_secs(30), async || {
        (suite.mails.asked("debt-2") >= asked + 3).then_some(())
    })
    .await;
    let resources = suite.stack.resources();
    let depth = suite.stack.depth(&resources.process_email_url).await;
    assert!(depth.total() <= 2, "{depth:?}");
    assert!(
        suite
            .stack
            .depth(&resources.data_process_url)
            .await
            .is_empty()
    );
    assert_eq!(suite.importers[0].metric("imports_put_off").await, 1);
    assert_eq!(suite.importers[0].metric("imports_stalled").await, 0);

    suite.mails.accept("debt-2");
    let import = suite.in_state(import_id, "completed").await;
    assert!(import["put_off"].is_null(), "{import}");
    suite
        .nothing_is_lost_and_nothing_twice(&[import_id], 20)
        .await;
}

#[tokio::test]
async fn what_was_undeliverable_is_mailed_once_when_it_is_taken_up_again() {
    let suite = Suite::start().await;
    suite.mails.refuse("debt-2", refusal("mailbox_refused"));
    suite.mails.refuse("debt-3", refusal("message_refused"));
    suite.mails.refuse("debt-4", refusal("mailbox_refused"));
    let import_id = suite.upload(CsvFile::new().valid_rows(5).bytes()).await;
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.mailed, counts.undeliverable), (2, 3));
    suite.in_state(import_id, "completed_with_errors").await;

    // Mended for one of them.
    suite.mails.accept("debt-2");
    let reopened = suite.ask(import_id, "reopen?code=mailbox_refused").await;
    assert_eq!(reopened["reopened"], 2);
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.mailed, counts.undeliverable), (3, 2));
    assert_eq!(suite.mails.asked("debt-3"), 1);
    assert_eq!(suite.mails.asked("debt-4"), 2);

    suite.mails.accept("debt-3");
    suite.mails.accept("debt-4");
    assert_eq!(suite.ask(import_id, "reopen").await["reopened"], 2);
    suite.in_state(import_id, "completed").await;
    assert_eq!(suite.ask(import_id, "reopen").await["reopened"], 0);
    let again = suite.ask(import_id, "reconcile").await;
    assert_eq!(again["not_mailed"], 0);
    suite
        .nothing_is_lost_and_nothing_twice(&[import_id], 5)
        .await;
    let audit = Audit::of(&suite.ledger, import_id).await.unwrap().unwrap();
    assert!(audit.holds(), "{audit}");
}

#[tokio::test]
async fn over_smtp_a_full_mailbox_is_waited_for_and_a_refused_one_mailed_after_a_reopen() {
    let (mut suite, server) = tokio::join!(Suite::without_services(), SmtpServer::start());
    let server = server.unwrap();
    suite.start_importer(&[]).await;
    suite.start_billing(&[]).await;
    suite.start_smtp_mailing(&server, patience()).await;
    for (answer, mailbox) in [
        ("452 4.2.2 mailbox full", "full@example.com"),
        ("550 5.1.1 no such mailbox", "gone@example.com"),
    ] {
        server.misbehave(Fault::new(Stage::Recipient, Act::Answer(answer)).to(mailbox));
    }
    let mut file = CsvFile::new();
    for name in ["one", "full", "two", "gone"] {
        file = file.row(&CsvRow {
            email: format!("{name}@example.com"),
            ..CsvRow::valid(name)
        });
    }
    let import_id = suite.upload(file.bytes()).await;
    let import = suite.in_state(import_id, "waiting").await;
    assert_eq!(import["rows"]["undeliverable"], 1, "{import}");
    assert_eq!(suite.ask(import_id, "reconcile").await["put_off"], 1);
    let reasons = format!("/v1/imports/{import_id}/reasons");
    let reasons: Value = serde_json::from_str(&suite.importers[0].get(&reasons).await).unwrap();
    let of_outcome = |outcome: &str| {
        let all = reasons["reasons"].as_array().unwrap();
        let found = all.iter().find(|reason| reason["outcome"] == outcome);
        found.unwrap_or_else(|| panic!("{outcome}: {reasons}"))
    };
    let full = of_outcome("put_off");
    assert_eq!(
        (&full["code"], &full["rows"]),
        (&"mailbox_full".into(), &1.into())
    );
    assert_eq!(full["reason"], "452 4.2.2 at RCPT");
    assert_eq!(of_outcome("undeliverable")["code"], "mailbox_refused");

    server.behave();
    suite.in_state(import_id, "completed_with_errors").await;
    let reopened = suite.ask(import_id, "reopen?code=mailbox_refused").await;
    assert_eq!(reopened["reopened"], 1);
    let import = suite.in_state(import_id, "completed").await;
    assert_eq!(import["rows"]["mailed"], 4);
    suite.queues_are_empty().await;
    let mut to: Vec<String> = server.messages().iter().map(|m| m.to[0].clone()).collect();
    to.sort_unstable();
    let each_once = ["full", "gone", "one", "two"].map(|name| format!("{name}@example.com"));
    assert_eq!(to, each_once);
}
