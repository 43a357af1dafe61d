//! The three services together where a mail server does not take an e-mail: not now, or never.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::time::Duration;

use common::contract::Reason;
use common::ledger::Audit;
use send_mail_worker::patience::Patience;
use suite::Suite;
use testkit::{CsvFile, poll_until};

fn refusal(code: &'static str) -> Reason {
    Reason {
        code: code.into(),
        text: "550 5.1.1".into(),
    }
}

#[tokio::test]
async fn a_full_mailbox_makes_its_import_wait_and_reconciling_adds_no_copies() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[]).await;
    let patience = Patience {
        waits: vec![Duration::from_secs(1)],
        most: u32::MAX,
    };
    suite.start_patient_mailing(&[], patience).await;
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
