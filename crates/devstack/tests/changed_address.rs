//! The three services together where the address of a debt is changed.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::collections::BTreeSet;
use std::time::Duration;

use common::ledger::Audit;
use reqwest::StatusCode;
use send_mail_worker::patience::Patience;
use serde_json::{Value, json};
use suite::Suite;
use testkit::smtp_server::{Act, Fault, SmtpServer, Stage};
use testkit::{CsvFile, CsvRow, poll_until};

const LONG: Duration = Duration::from_mins(1);

/// Asks for a change, and gives the answer.
async fn change(suite: &Suite, debt_id: &str, change: &Value) -> (StatusCode, Value) {
    let url = format!("{}/v1/boletos/{debt_id}", suite.importers[0].url());
    let request = reqwest::Client::new().patch(url).json(change);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Changes an address.
async fn readdress(suite: &Suite, debt_id: &str, email: &str) -> Value {
    let (status, boleto) = change(suite, debt_id, &json!({ "email": email })).await;
    assert_eq!(status, StatusCode::OK, "{boleto}");
    assert_eq!(boleto["payer"]["email"], email);
    boleto
}

/// Waits until the e-mail of a boleto has that state.
async fn mail_in_state(suite: &Suite, debt_id: &str, state: &str) -> Value {
    let route = format!("/v1/boletos/{debt_id}");
    poll_until("the state of the e-mail", LONG, async || {
        let boleto: Value = serde_json::from_str(&suite.importers[0].get(&route).await).ok()?;
        (boleto["mail"]["state"] == state).then_some(boleto)
    })
    .await
}

fn recipients(server: &SmtpServer) -> Vec<String> {
    let messages = server.messages();
    let mut to: Vec<String> = messages.iter().map(|m| m.to[0].clone()).collect();
    to.sort_unstable();
    to
}

fn message_ids(server: &SmtpServer) -> BTreeSet<String> {
    let messages = server.messages();
    let ids = messages.iter().filter_map(|message| {
        let text = String::from_utf8_lossy(&message.data).into_owned();
        let line = text.lines().find(|line| line.starts_with("Message-ID:"))?;
        Some(line.to_owned())
    });
    ids.collect()
}

/// For an import whose debts are `names`, each with an address of that name, sent through that
/// server; what is put off comes after so many seconds.
async fn import(server: &SmtpServer, names: &[&str], wait: u64) -> (Suite, uuid::Uuid) {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[]).await;
    let patience = Patience {
        waits: vec![Duration::from_secs(wait)],
        most: u32::MAX,
    };
    suite.start_smtp_mailing(server, patience).await;
    let mut file = CsvFile::new();
    for name in names {
        file = file.row(&CsvRow {
            email: format!("{name}@example.com"),
            ..CsvRow::valid(*name)
        });
    }
    let import_id = suite.upload(file.bytes()).await;
    (suite, import_id)
}

#[tokio::test]
async fn whatever_became_of_an_e_mail_it_goes_to_the_new_address_once() {
    let server = SmtpServer::start().await.unwrap();
    for (answer, mailbox) in [
        ("452 4.2.2 mailbox full", "full@example.com"),
        ("550 5.1.1 no such mailbox", "gone@example.com"),
    ] {
        server.misbehave(Fault::new(Stage::Recipient, Act::Answer(answer)).to(mailbox));
    }
    let (suite, import_id) = import(&server, &["one", "full", "gone", "two"], 4).await;
    let import = suite.in_state(import_id, "waiting").await;
    assert_eq!(import["rows"]["undeliverable"], 1, "{import}");
    let gone = mail_in_state(&suite, "gone", "undeliverable").await;
    assert_eq!(gone["mail"]["code"], "mailbox_refused");
    assert_eq!(gone["address_changes"], json!([]));

    for debt in ["one", "full", "gone"] {
        let changed = readdress(&suite, debt, &format!("{debt}@example.org")).await;
        assert_eq!(changed["address_changes"][0]["by"], "");
        assert_eq!(changed["pdf"], format!("/v1/boletos/{debt}.pdf"));
        // Said again it changes nothing.
        let again = readdress(&suite, debt, &format!("{debt}@example.org")).await;
        assert_eq!(again["address_changes"], changed["address_changes"]);
    }
    let import = suite.in_state(import_id, "completed").await;
    assert_eq!(import["rows"]["mailed"], 4, "{import}");
    assert_eq!(import["put_off"], Value::Null);
    for debt in ["one", "full", "gone", "two"] {
        mail_in_state(&suite, debt, "sent").await;
    }
    // Also the message to the full mailbox, which comes by now and is not sent.
    server.behave();
    suite.queues_are_empty().await;
    assert_eq!(
        recipients(&server),
        [
            "full@example.org",
            "gone@example.org",
            "one@example.com",
            "one@example.org",
            "two@example.com"
        ]
    );
    assert_eq!(message_ids(&server).len(), 5);
    let audit = Audit::of(&suite.ledger, import_id).await.unwrap().unwrap();
    assert!(audit.holds(), "{audit}");
    let again = suite.ask(import_id, "reconcile").await;
    assert_eq!(
        (&again["not_mailed"], &again["put_off"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test]
async fn a_new_address_may_be_refused_too_and_is_tried_again() {
    let server = SmtpServer::start().await.unwrap();
    let refused = Act::Answer("550 5.1.1 no such mailbox");
    server.misbehave(Fault::new(Stage::Recipient, refused));
    let (suite, import_id) = import(&server, &["a", "b"], 1).await;
    suite.in_state(import_id, "completed_with_errors").await;
    readdress(&suite, "a", "a@example.org").await;
    let refused = mail_in_state(&suite, "a", "undeliverable").await;
    suite.in_state(import_id, "completed_with_errors").await;
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.mailed, counts.undeliverable), (0, 2));

    // Of the import, with all others; and of the debt alone.
    server.behave();
    assert_eq!(suite.ask(import_id, "reopen").await["reopened"], 2);
    mail_in_state(&suite, "a", "sent").await;
    mail_in_state(&suite, "b", "sent").await;
    suite.in_state(import_id, "completed").await;
    assert_eq!(recipients(&server), ["a@example.org", "b@example.com"]);

    // What was sent stays so, whatever the next mail server says.
    let refused_too = Act::Answer("550 5.1.1 no such mailbox");
    server.misbehave(Fault::new(Stage::Recipient, refused_too));
    readdress(&suite, "b", "b@example.org").await;
    mail_in_state(&suite, "b", "undeliverable").await;
    server.behave();
    let changed = readdress(&suite, "b", "b@example.org").await;
    assert_eq!(changed["address_changes"].as_array().unwrap().len(), 2);
    mail_in_state(&suite, "b", "sent").await;
    suite.queues_are_empty().await;
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.mailed, counts.undeliverable), (2, 0));
    let audit = Audit::of(&suite.ledger, import_id).await.unwrap().unwrap();
    assert!(audit.holds(), "{audit}");
    assert_eq!(refused["address_changes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_changes_at_once_the_last_is_sent() {
    let server = SmtpServer::start().await.unwrap();
    let names: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (suite, import_id) = import(&server, &names, 1).await;
    suite.in_state(import_id, "completed").await;
    for debt in &names {
        readdress(&suite, debt, &format!("{debt}@example.net")).await;
        readdress(&suite, debt, &format!("{debt}@example.org")).await;
    }
    for debt in &names {
        mail_in_state(&suite, debt, "sent").await;
    }
    suite.queues_are_empty().await;
    let sent = recipients(&server);
    for debt in &names {
        let last = format!("{debt}@example.org");
        assert_eq!(sent.iter().filter(|to| **to == last).count(), 1, "{last}");
    }
}

#[tokio::test]
async fn the_address_of_an_e_mail_that_is_being_sent_stays() {
    let server = SmtpServer::start().await.unwrap();
    let slowly = Act::Delay(Duration::from_secs(2));
    server.misbehave(Fault::new(Stage::Recipient, slowly));
    let (suite, _) = import(&server, &["slow"], 1).await;
    // Until its e-mail is on its way, to whichever address.
    let mut numbers = 1_u32..;
    let problem = poll_until("it to be sent", LONG, async || {
        let email = format!("slow-{}@example.com", numbers.next()?);
        let (status, problem) = change(&suite, "slow", &json!({ "email": email })).await;
        (status == StatusCode::CONFLICT).then_some(problem)
    })
    .await;
    assert_eq!(problem["type"], "urn:problem:being-sent");
    let url = "/v1/boletos/slow";
    let boleto: Value = serde_json::from_str(&suite.importers[0].get(url).await).unwrap();
    assert_eq!(boleto["mail"]["state"], "waiting");
}

#[tokio::test]
async fn what_is_no_change_is_refused_and_changes_nothing() {
    let server = SmtpServer::start().await.unwrap();
    let (suite, import_id) = import(&server, &["one"], 1).await;
    suite.in_state(import_id, "completed").await;
    for (body, status, kind) in [
        (json!({"email": "nobody"}), 422, "bad-address"),
        (json!({"email": ""}), 422, "bad-address"),
        (json!({}), 422, "bad-change"),
        (
            json!({"email": "a@example.com", "name": "Zé"}),
            422,
            "bad-change",
        ),
        (json!({"email": 7}), 422, "bad-change"),
        (json!("a@example.com"), 422, "bad-change"),
    ] {
        let (answered, problem) = change(&suite, "one", &body).await;
        assert_eq!(answered.as_u16(), status, "{body}");
        assert_eq!(problem["type"], format!("urn:problem:{kind}"), "{body}");
    }
    let unknown = change(&suite, "two", &json!({"email": "a@example.com"})).await;
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    let url = format!("{}/v1/boletos/one", suite.importers[0].url());
    for (kind, body, status) in [("text/plain", "{}", 415), ("application/json", "{", 400)] {
        let request = reqwest::Client::new().patch(&url).body(body);
        let answer = request.header("Content-Type", kind).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{kind}");
    }
    let same = readdress(&suite, "one", "one@example.com").await;
    assert_eq!(same["address_changes"], json!([]));
    assert_eq!(recipients(&server), ["one@example.com"]);
}
