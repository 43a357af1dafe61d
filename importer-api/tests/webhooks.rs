//! What another system is told by webhooks, through a receiver that answers as each test wants.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::ledger::{
    CarrierLedger, Checkpoint, EndedRow, ImportLease, ImportLedger, NewImport, RowLedger,
    SharedLedger, Unbilled, WebhookLedger,
};
use contract::{Reason, RowId};
use hmac::{Hmac, KeyInit, Mac};
use importer::{Importer, LONG, ready, upload};
use importer_api::Settings;
use importer_api::webhooks::WebhookPace;
use jiff::Timestamp;
use receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{
    CsvFile, FaultMode, RunningService, ServiceProcess, bill_rows, mail_rows, new_import,
    poll_until, refuse_mails, tell_rows,
};
use uuid::Uuid;

const KEY: &[u8] = b"twenty-four random bytes";

/// Times that a test can wait for.
fn quick() -> WebhookPace {
    WebhookPace {
        look: Duration::from_millis(20),
        mails: Duration::from_millis(50),
        attempt: Duration::from_millis(500),
        lease: Duration::from_secs(1),
        waits: vec![Duration::from_millis(10); 6],
    }
}

fn of(url: &str) -> Vec<(&'static str, String)> {
    let secret = format!("whsec_{}", STANDARD.encode(KEY));
    vec![
        ("WEBHOOK_URL", url.to_owned()),
        ("WEBHOOK_SECRET", secret),
        ("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()),
    ]
}

/// An importer with a spool of its own, which tells the receiver.
async fn start(
    importer: &Importer,
    further: &[(&'static str, String)],
    pace: WebhookPace,
) -> RunningService {
    let spool = tempfile::tempdir().unwrap().keep();
    let spool = ("SPOOL_DIR", spool.to_str().unwrap().to_owned());
    let variables = [&[spool], further].concat();
    let variables: Vec<(&'static str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let queue = &importer.stack.resources().data_process_url;
    let environment = importer.stack.service_environment(queue, &variables);
    let mut settings = Settings::read(&environment).unwrap();
    if let Some(webhooks) = &mut settings.webhooks {
        webhooks.pace = pace;
    }
    RunningService::start(|listener, stop| importer_api::run(settings, listener, stop)).await
}

async fn telling(importer: &Importer, hook: &Receiver) -> RunningService {
    start(importer, &of(&hook.url()), quick()).await
}

/// An import that was sent, of so many rows that have no outcome.
async fn sent(ledger: &SharedLedger, rows: u64) -> Uuid {
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, rows))
        .await
        .unwrap();
    record_sent(ledger, import_id, rows).await;
    import_id
}

async fn record_sent(ledger: &SharedLedger, import_id: Uuid, rows: u64) {
    let lease = ImportLease {
        import_id,
        epoch: 0,
    };
    let sent = Checkpoint { rows, offset: 1 };
    let now = Some(Timestamp::now());
    ledger.record_sent(&lease, sent, now).await.unwrap();
}

async fn skip(ledger: &SharedLedger, import_id: Uuid, rows: impl IntoIterator<Item = u64>) {
    let rows = rows.into_iter().map(|row| RowId { import_id, row });
    let rows: Vec<_> = rows.map(EndedRow::from).collect();
    ledger.end_rows(Unbilled::Skipped, &rows).await.unwrap();
}

/// One at its end.
async fn completed(ledger: &SharedLedger) -> Uuid {
    let import_id = sent(ledger, 1).await;
    skip(ledger, import_id, [1]).await;
    import_id
}

/// Holds the headers and the signature to what the standard says.
fn verify(received: &Received) {
    let headers = &received.headers;
    let (id, timestamp) = (received.id(), &headers["webhook-timestamp"]);
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{}", received.body).as_bytes());
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(headers["webhook-signature"], format!("v1,{expected}"));
    let age = Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(received.line, "POST /hooks?of=us HTTP/1.1");
}

/// The events by type and import, each of which was received once.
fn told(received: &[Received]) -> BTreeSet<(String, String)> {
    let told = received.iter().map(|received| {
        verify(received);
        let event = received.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&event["type"]), text(&event["data"]["import_id"]))
    });
    let all: BTreeSet<_> = told.collect();
    assert_eq!(all.len(), received.len());
    all
}

async fn metric(service: &RunningService, name: &str) -> u64 {
    let metrics = service.get("/metrics").await;
    let mut samples = metrics.lines().filter(|line| line.starts_with(name));
    let (_, value) = samples.next().unwrap().rsplit_once(' ').unwrap();
    value.parse().unwrap()
}

async fn attempts(service: &RunningService, outcome: &str) -> u64 {
    let label = format!("webhook_deliveries_total{{outcome=\"{outcome}\"");
    let metrics = service.get("/metrics").await;
    let line = metrics.lines().find(|line| line.starts_with(&label));
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Waits until the ledger keeps so many events to deliver, and such that were given up.
async fn events_left(ledger: &SharedLedger, waiting: u64, given_up: u64) {
    poll_until("the events to end", LONG, async || {
        let figures = ledger.event_figures().await.unwrap();
        ((figures.waiting, figures.given_up) == (waiting, given_up)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_import_is_told_of_once_by_how_it_ended() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    // At its end before anybody was to be told.
    let before = completed(&ledger).await;
    let now = Timestamp::now();
    assert!(
        ledger
            .observe_import(before, now)
            .await
            .unwrap()
            .unwrap()
            .newly_over
    );
    let open = sent(&ledger, 2).await;

    let hook = Receiver::start([]).await;
    let service = telling(&importer, &hook).await;
    poll_until("the open import to be noted", LONG, async || {
        let noted = ledger.noted_imports().await.unwrap();
        noted
            .iter()
            .any(|noted| noted.import_id == open)
            .then_some(())
    })
    .await;
    let reason = Reason {
        code: "email_invalid".into(),
        text: "why".into(),
    };
    let row = |row| RowId {
        import_id: open,
        row,
    };
    let invalid = EndedRow {
        row: row(2),
        reason: Some(reason),
    };
    ledger
        .end_rows(Unbilled::Invalid, &[invalid])
        .await
        .unwrap();
    skip(&ledger, open, [1]).await;
    let good = completed(&ledger).await;
    let cancelled = Uuid::now_v7();
    ledger
        .register_import(&new_import(cancelled, 9))
        .await
        .unwrap();
    ledger.cancel_import(cancelled, now).await.unwrap();
    let failed = Uuid::now_v7();
    let file = new_import(failed, 9);
    ledger.register_import(&file).await.unwrap();
    let taken = ledger
        .take_import(&file.spool, Uuid::new_v4(), LONG)
        .await
        .unwrap()
        .unwrap();
    ledger
        .record_failure(&taken.lease, "the file is gone", now)
        .await
        .unwrap();

    let received = hook.requests(4).await;
    let expected = [
        ("import.completed", open),
        ("import.completed", good),
        ("import.failed", cancelled),
        ("import.failed", failed),
    ];
    let expected = expected.map(|(kind, id)| (kind.to_owned(), id.to_string()));
    assert_eq!(told(&received), BTreeSet::from(expected));
    for received in &received {
        let event = received.json();
        let of = event["data"]["import_id"].as_str().unwrap().to_owned();
        let (_, view) = service.answer(&format!("/v1/imports/{of}")).await;
        assert_eq!(event["data"], serde_json::from_str::<Value>(&view).unwrap());
        let at: Timestamp = event["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(at <= Timestamp::now());
        if of == failed.to_string() {
            assert_eq!(event["data"]["failure"], "the file is gone");
        }
    }
    events_left(&ledger, 0, 0).await;
    assert_eq!(ledger.noted_imports().await.unwrap(), []);
    // Another look finds nothing new.
    let last = completed(&ledger).await;
    let received = hook.requests(5).await;
    assert_eq!(received[4].json()["data"]["import_id"], last.to_string());
    assert_eq!(hook.received().len(), 5);
    assert_eq!(attempts(&service, "delivered").await, 5);
}

#[tokio::test]
async fn a_stalled_import_is_told_of_once_a_stall() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([]).await;
    let service = telling(&importer, &hook).await;
    let import_id = Uuid::now_v7();
    let import = NewImport {
        accepted_at: Timestamp::now() - Duration::from_mins(11),
        ..new_import(import_id, 3)
    };
    ledger.register_import(&import).await.unwrap();
    let first = hook.requests(1).await.remove(0);
    let event = first.json();
    assert_eq!(
        (&event["type"], &event["data"]["state"]),
        (&json!("import.stalled"), &json!("stalled"))
    );
    // It moves, stands still again, and comes to its end.
    skip(&ledger, import_id, [1]).await;
    poll_until("the move to be seen", LONG, async || {
        let status = ledger.import_status(import_id).await.unwrap().unwrap();
        (status.progressed_at > import.accepted_at).then_some(())
    })
    .await;
    skip(&ledger, import_id, [2, 3]).await;
    record_sent(&ledger, import_id, 3).await;
    let received = hook.requests(2).await;
    assert_eq!(received[1].json()["type"], "import.completed");
    events_left(&ledger, 0, 0).await;
    assert_eq!(hook.received().len(), 2);
    drop(service);
}

#[tokio::test]
async fn mails_that_can_never_be_delivered_are_told_of_together() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([]).await;
    let pace = WebhookPace {
        mails: Duration::from_millis(300),
        ..quick()
    };
    let service = start(&importer, &of(&hook.url()), pace).await;
    ready(&service).await;
    completed(&ledger).await;
    hook.requests(1).await;
    let import_id = sent(&ledger, 700).await;
    let rows: Vec<RowId> = (1..=700).map(|row| RowId { import_id, row }).collect();
    bill_rows(&ledger, &rows).await;
    tell_rows(&ledger, &rows).await;
    mail_rows(&ledger, &rows[..10]).await;
    let why = Reason {
        code: "mailbox_refused".into(),
        text: "550 5.1.1 <ana@example.org>".into(),
    };
    let refused: Vec<_> = rows[10..].iter().map(|row| (*row, why.clone())).collect();
    for _ in 0..2 {
        refuse_mails(&ledger, &refused).await;
    }
    let received = hook.requests(4).await;
    let mut debts = BTreeMap::new();
    let mut sizes = Vec::new();
    for received in &received[1..] {
        verify(received);
        let event = received.json();
        if event["type"] == "import.completed" {
            assert_eq!(event["data"]["rows"]["undeliverable"], 690);
            continue;
        }
        assert_eq!(event["type"], "mail.undeliverable");
        assert!(!received.body.contains("ana@"), "{}", received.body);
        let mails = event["data"]["mails"].as_array().unwrap();
        sizes.push(mails.len());
        for mail in mails {
            assert_eq!(mail["code"], "mailbox_refused");
            assert_eq!(mail["import_id"], import_id.to_string());
            debts.insert(mail["row"].as_u64().unwrap(), mail["debt_id"].clone());
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 690);
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    let expected = rows[10..]
        .iter()
        .map(|row| (row.row, json!(row.to_string())));
    assert_eq!(debts, expected.collect());
    events_left(&ledger, 0, 0).await;
}

#[tokio::test]
async fn an_event_is_tried_until_its_receiver_has_it() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let elsewhere = Receiver::start([]).await;
    let redirect = format!("location: {}\r\n", elsewhere.url());
    let hook = Receiver::start([
        Reply::Status(500, String::new()),
        Reply::Never,
        Reply::Status(307, redirect),
        Reply::Close,
        Reply::Late(Duration::from_secs(2)),
        Reply::Status(404, String::new()),
        Reply::Endless,
    ])
    .await;
    let service = telling(&importer, &hook).await;
    completed(&ledger).await;
    let received = hook.requests(7).await;
    events_left(&ledger, 0, 0).await;
    for received in &received {
        verify(received);
        assert_eq!(received.id(), hook.received()[0].id());
        assert_eq!(received.body, hook.received()[0].body);
    }
    assert_eq!(elsewhere.received().len(), 0);
    assert_eq!(
        (
            attempts(&service, "failed").await,
            attempts(&service, "delivered").await
        ),
        (6, 1)
    );
    // An answer in time is in time.
    completed(&ledger).await;
    hook.requests(8).await;
    events_left(&ledger, 0, 0).await;
    assert_eq!(hook.received().len(), 8);
}

#[tokio::test]
async fn the_wait_that_a_receiver_asks_for_is_kept() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let wait = Reply::Status(503, "retry-after: 1\r\n".to_owned());
    let hook = Receiver::start([wait]).await;
    let _service = telling(&importer, &hook).await;
    completed(&ledger).await;
    let received = hook.requests(2).await;
    let waited = received[1].at - received[0].at;
    assert!(waited >= Duration::from_millis(990), "{waited:?}");
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_given_up_and_can_be_sent_again() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let no = Reply::Status(500, String::new());
    let hook = Receiver::start(vec![no; 7]).await;
    let service = telling(&importer, &hook).await;
    completed(&ledger).await;
    hook.requests(7).await;
    events_left(&ledger, 0, 1).await;
    assert_eq!(metric(&service, "webhook_events_given_up_total").await, 1);
    assert_eq!(hook.received().len(), 7);
    assert_eq!(ledger.retry_events().await.unwrap(), 1);
    let received = hook.requests(8).await;
    assert_eq!(received[7].id(), received[0].id());
    events_left(&ledger, 0, 0).await;
}

#[tokio::test]
async fn nothing_more_is_sent_to_a_receiver_that_is_gone_until_the_next_start() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([Reply::Status(410, String::new())]).await;
    let service = telling(&importer, &hook).await;
    let first = completed(&ledger).await;
    hook.requests(1).await;
    poll_until("the answer to count", LONG, async || {
        (attempts(&service, "gone").await == 1).then_some(())
    })
    .await;
    // Neither is it made an event, nor forgotten.
    let second = completed(&ledger).await;
    poll_until("the end of the second", LONG, async || {
        let open = ledger.open_imports().await.unwrap();
        open.is_empty().then_some(())
    })
    .await;
    assert_eq!(hook.received().len(), 1);
    drop(service);
    let _service = telling(&importer, &hook).await;
    let received = hook.requests(3).await;
    let expected = [first, second].map(|id| ("import.completed".to_owned(), id.to_string()));
    assert_eq!(told(&received[1..]), BTreeSet::from(expected));
}

#[tokio::test]
async fn an_event_is_told_again_where_the_service_was_killed_over_it() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    // Before the answer; and after it, before the ledger knows.
    for is_answered in [false, true] {
        let reply = if is_answered {
            Reply::Late(Duration::from_millis(100))
        } else {
            Reply::Never
        };
        let hook = Receiver::start([reply]).await;
        let proxy = importer.stack.proxy_to_redis().await;
        let mut variables = of(&hook.url());
        variables.push(("REDIS_PORT", proxy.address().port().to_string()));
        let service = start(&importer, &variables, quick()).await;
        let import_id = completed(&ledger).await;
        hook.requests(1).await;
        if is_answered {
            proxy.set(FaultMode::Stall);
            poll_until("the answer to count", LONG, async || {
                (attempts(&service, "delivered").await == 1).then_some(())
            })
            .await;
        }
        drop(service);
        let _service = telling(&importer, &hook).await;
        let received = hook.requests(2).await;
        events_left(&ledger, 0, 0).await;
        assert_eq!(received[0].id(), received[1].id());
        assert_eq!(received[0].body, received[1].body);
        let told = told(&received[1..]);
        let expected = ("import.completed".to_owned(), import_id.to_string());
        assert_eq!(told, BTreeSet::from([expected]));
    }
}

#[tokio::test]
async fn several_replicas_tell_each_event_once() {
    const IMPORTS: usize = 20;
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([]).await;
    let mut services = Vec::new();
    for _ in 0..3 {
        let service = telling(&importer, &hook).await;
        ready(&service).await;
        services.push(service);
    }
    let mut expected = BTreeSet::new();
    for _ in 0..IMPORTS {
        let import_id = completed(&ledger).await;
        expected.insert(("import.completed".to_owned(), import_id.to_string()));
    }
    let received = hook.requests(IMPORTS).await;
    events_left(&ledger, 0, 0).await;
    assert_eq!(told(&received), expected);
    assert_eq!(hook.received().len(), IMPORTS);
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_followed() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([]).await;
    let variables = [
        ("WEBHOOK_URL", format!("https://localhost:{}/", hook.port)),
        ("WEBHOOK_SECRET", format!("whsec_{}", STANDARD.encode(KEY))),
    ];
    let service = start(&importer, &variables, quick()).await;
    completed(&ledger).await;
    events_left(&ledger, 0, 1).await;
    assert_eq!(attempts(&service, "failed").await, 7);
    assert_eq!(hook.received().len(), 0);
}

/// While nobody answers, uploads and imports go on; without settings nothing is noted.
#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_no_import() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let service = start(&importer, &[], quick()).await;
    ready(&service).await;
    completed(&ledger).await;
    assert_eq!(ledger.noted_imports().await.unwrap(), []);
    drop(service);
    let hook = Receiver::start(vec![Reply::Never; 100]).await;
    let pace = WebhookPace {
        attempt: LONG,
        lease: LONG * 2,
        ..quick()
    };
    let service = start(&importer, &of(&hook.url()), pace).await;
    ready(&service).await;
    for _ in 0..10 {
        completed(&ledger).await;
    }
    hook.requests(8).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(20).bytes()).await;
    poll_until("its rows to be sent", LONG, async || {
        let status = ledger.import_status(import_id).await.unwrap();
        (status.unwrap().sent == 20).then_some(())
    })
    .await;
    poll_until("all events", LONG, async || {
        let figures = ledger.event_figures().await.unwrap();
        (figures.waiting >= 10).then_some(())
    })
    .await;
    assert_eq!(hook.received().len(), 8);
    // A stop gives back what is in hand, for whoever comes next.
    service.stop().await.unwrap();
    let taken = ledger.take_events(100, LONG).await.unwrap();
    assert!(
        taken.len() >= 10 && taken.iter().all(|taken| taken.attempts == 0),
        "{taken:?}"
    );
}

/// As a process, with the times of one. Takes a minute: the lease of an event.
#[tokio::test]
#[ignore = "takes a minute"]
async fn an_event_is_told_again_after_a_kill() {
    let importer = Importer::new().await;
    let ledger = importer.stack.ledger().await;
    let hook = Receiver::start([Reply::Never]).await;
    let queue = &importer.stack.resources().data_process_url;
    let spool = tempfile::tempdir().unwrap();
    let own = [
        ("SQS_QUEUE_URL", queue.clone()),
        ("SPOOL_DIR", spool.path().to_str().unwrap().to_owned()),
    ];
    let variables = importer.stack.environment().into_iter().chain(own);
    let variables: Vec<_> = variables.chain(of(&hook.url())).collect();
    let start = || {
        let binary = env!("CARGO_BIN_EXE_importer-api");
        ServiceProcess::start(binary, "PORT", variables.iter().cloned())
    };
    let process = start();
    process.healthy().await;
    let import_id = completed(&ledger).await;
    hook.requests(1).await;
    // SIGKILL
    drop(process);
    let _process = start();
    let received = poll_until("the second request", LONG * 5, async || {
        Some(hook.received()).filter(|received| received.len() >= 2)
    })
    .await;
    assert_eq!(received[0].id(), received[1].id());
    assert!(received[1].body.contains(&import_id.to_string()));
    verify(&received[1]);
    events_left(&ledger, 0, 0).await;
}
