//! The import as a resource, through HTTP, with a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::time::Duration;

use common::ledger::{
    Channel, ChannelLedger, DebtLedger, EndedRow, ImportLedger, ImportState, PutOffLedger,
    RowLedger, STALLED_AFTER, SendClaim, SendEnd, SharedLedger, Unbilled,
};
use contract::{InvalidReason, Reason, RowId};
use importer::{Importer, LONG, ready, upload};
use jiff::{SignedDuration, Timestamp};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::{
    CsvFile, CsvRow, RunningService, bill_debts, end_debts, poll_until, put_off, tell_debts,
};
use uuid::Uuid;

/// Uploads a file, and gives its import.
fn url(service: &RunningService, route: &str) -> String {
    format!("{}/v1/imports{route}", service.url())
}

async fn get(service: &RunningService, route: &str) -> (StatusCode, Value) {
    let answer = reqwest::get(url(service, route)).await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn post(service: &RunningService, route: &str) -> (StatusCode, Value) {
    let answer = Client::new()
        .post(url(service, route))
        .send()
        .await
        .unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Waits until an import has that state, and gives it.
async fn in_state(service: &RunningService, import_id: Uuid, state: &str) -> Value {
    poll_until("the state of the import", LONG, async || {
        let (status, import) = get(service, &format!("/{import_id}")).await;
        (status == 200 && import["state"] == state).then_some(import)
    })
    .await
}

fn rows(import_id: Uuid, numbers: impl IntoIterator<Item = u64>) -> Vec<RowId> {
    let row = |row| RowId { import_id, row };
    numbers.into_iter().map(row).collect()
}

fn ended(rows: &[RowId], reason: Option<&Reason>) -> Vec<EndedRow> {
    let ended = |row: &RowId| EndedRow {
        row: *row,
        reason: reason.cloned(),
    };
    rows.iter().map(ended).collect()
}

/// Bills and mails these rows, as the workers would.
async fn settle(ledger: &SharedLedger, rows: &[RowId]) {
    tell_of(ledger, rows).await;
    let sent: Vec<_> = rows.iter().map(|row| (*row, SendEnd::Sent)).collect();
    end_debts(ledger, Channel::MAIL, &sent, debt_of).await;
}

#[tokio::test]
async fn an_import_is_followed_from_its_upload_to_its_end() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let file = CsvFile::new().valid_rows(20).bytes();
    let size = file.len();
    let import_id = upload(&service, file).await;

    let import = in_state(&service, import_id, "processing").await;
    assert_eq!(import["import_id"], import_id.to_string());
    assert_eq!(import["file_name"], "debts.csv");
    assert_eq!(import["size"], size);
    assert_eq!(import["rows"]["total"], 20);
    assert_eq!(import["rows"]["sent"], 20);
    assert_eq!(import["rows"]["pending"], 20);
    assert_eq!(import["over"], false);
    assert!(import["sent_at"].is_string() && import["finished_at"].is_null());

    settle(&ledger, &rows(import_id, 1..=18)).await;
    let reason = Reason::from(InvalidReason::NameEmpty);
    ledger
        .end_rows(
            Unbilled::Invalid,
            &ended(&rows(import_id, 19..=20), Some(&reason)),
        )
        .await
        .unwrap();
    let import = in_state(&service, import_id, "completed_with_errors").await;
    assert_eq!(import["rows"]["mailed"], 18);
    assert_eq!(import["rows"]["invalid"], 2);
    assert_eq!(import["rows"]["pending"], 0);
    assert_eq!(import["over"], true);
    assert!(import["finished_at"].is_string());
    assert!(import["rows_per_second"].as_f64().unwrap() > 0.0);
    poll_until("the gauge of open imports", LONG, async || {
        (service.metric("imports_open").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn imports_are_listed_newest_first_page_by_page() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let mut uploaded = Vec::new();
    for _ in 0..5 {
        uploaded.push(upload(&service, CsvFile::new().valid_rows(1).bytes()).await);
    }
    let mut listed = Vec::new();
    let mut route = "?limit=2".to_owned();
    loop {
        let (status, page) = get(&service, &route).await;
        assert_eq!(status, 200);
        let imports = page["imports"].as_array().unwrap();
        assert!(imports.len() <= 2);
        listed.extend(imports.iter().map(|import| import["import_id"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        route = next.strip_prefix("/v1/imports").unwrap().to_owned();
    }
    uploaded.reverse();
    assert_eq!(
        listed,
        uploaded.iter().map(Uuid::to_string).collect::<Vec<_>>()
    );
    // A page that is just full has none after it.
    let (_, page) = get(&service, "?limit=5").await;
    assert_eq!(page["imports"].as_array().unwrap().len(), 5);
    assert_eq!(page["next"], Value::Null);
    for query in ["?limit=0", "?limit=101", "?limit=x", "?before=x"] {
        let (status, problem) = get(&service, query).await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(problem["type"], "urn:problem:bad-query");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_a_ledger_that_is_away_a_503() {
    let mut importer = Importer::new().await;
    let service = importer.start().await;
    upload(&service, CsvFile::new().valid_rows(1).bytes()).await;
    let unknown = Uuid::now_v7();
    for route in [
        format!("/{unknown}"),
        format!("/{unknown}/events"),
        format!("/{unknown}/rejections"),
        "/7".to_owned(),
    ] {
        let (status, problem) = get(&service, &route).await;
        assert_eq!(status, 404, "{route}");
        assert_eq!(problem["type"], "urn:problem:no-such-import");
    }
    for route in ["cancel", "reconcile", "reopen"] {
        let (status, _) = post(&service, &format!("/{unknown}/{route}")).await;
        assert_eq!(status, 404, "{route}");
    }
    importer.stack.kill_redis();
    let answer = reqwest::get(url(&service, "")).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "urn:problem:ledger-away");
}

#[tokio::test]
async fn a_cancelled_import_stops_and_what_was_sent_is_settled() {
    let importer = Importer::new().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let service = importer.start_with(&nowhere).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(30).bytes()).await;
    in_state(&service, import_id, "received").await;

    let (status, import) = post(&service, &format!("/{import_id}/cancel")).await;
    assert_eq!(
        (status, &import["state"]),
        (StatusCode::OK, &"cancelled".into())
    );
    let import = poll_until("the sender to stop", LONG, async || {
        let import = in_state(&service, import_id, "cancelled").await;
        (import["over"] == true).then_some(import)
    })
    .await;
    assert_eq!(import["rows"]["not_sent"], 30);
    assert_eq!(import["rows"]["pending"], 0);
    service.stop().await.unwrap();

    // Not even a restart sends it.
    let service = importer.start().await;
    let other = upload(&service, CsvFile::new().valid_rows(3).bytes()).await;
    in_state(&service, other, "processing").await;
    let queue = &importer.stack.resources().data_process_url;
    assert_eq!(importer.stack.depth(queue).await.visible, 3);
    let (status, _) = post(&service, &format!("/{import_id}/cancel")).await;
    assert_eq!(status, 200);
    let (status, problem) = post(&service, &format!("/{other}/cancel")).await;
    assert_eq!(status, 409, "{problem}");
}

#[tokio::test]
async fn a_cancel_that_a_stopped_importer_missed_is_seen_at_its_start() {
    let importer = Importer::new().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let service = importer.start_with(&nowhere).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(30).bytes()).await;
    in_state(&service, import_id, "received").await;
    service.stop().await.unwrap();
    let ledger = importer.stack.ledger().await;
    let now = jiff::Timestamp::now();
    ledger.cancel_import(import_id, now).await.unwrap();

    let service = importer.start().await;
    let import = poll_until("the import to be over", LONG, async || {
        let import = in_state(&service, import_id, "cancelled").await;
        (import["over"] == true).then_some(import)
    })
    .await;
    assert_eq!(import["rows"]["not_sent"], 30);
    let queue = &importer.stack.resources().data_process_url;
    assert!(importer.stack.depth(queue).await.is_empty());
}

/// An importer of one import at a time, before a queue that is away. Its first
/// import is being sent, and holds up the others.
async fn held_up(importer: &Importer) -> RunningService {
    let settings = [
        ("SQS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("MAX_OPEN_IMPORTS", "1"),
    ];
    let service = importer.start_with(&settings).await;
    upload(&service, CsvFile::new().valid_rows(1).bytes()).await;
    poll_until("its turn", LONG, async || {
        let (ready, text) = service.answer("/ready").await;
        (ready == 503 && text.contains("SQS")).then_some(())
    })
    .await;
    service
}

#[tokio::test]
async fn an_import_that_waits_for_its_turn_is_cancelled_at_once_whichever_replica_is_asked() {
    let importer = Importer::new().await;
    let service = held_up(&importer).await;
    let file = CsvFile::new().valid_rows(30).bytes();
    let here = upload(&service, file.clone()).await;
    let elsewhere = upload(&service, file.clone()).await;
    let kept = upload(&service, file).await;
    poll_until("three that wait", LONG, async || {
        (service.metric("imports_waiting").await == 3).then_some(())
    })
    .await;
    let (status, _) = post(&service, &format!("/{here}/cancel")).await;
    assert_eq!(status, 200);
    let ledger = importer.stack.ledger().await;
    let now = jiff::Timestamp::now();
    ledger.cancel_import(elsewhere, now).await.unwrap();
    for import_id in [here, elsewhere] {
        let import = poll_until("the import to be over", LONG, async || {
            let import = in_state(&service, import_id, "cancelled").await;
            (import["over"] == true).then_some(import)
        })
        .await;
        assert_eq!(import["rows"]["not_sent"], 30);
    }
    in_state(&service, kept, "received").await;
    service.stop().await.unwrap();

    let service = importer.start().await;
    in_state(&service, kept, "processing").await;
    let queue = &importer.stack.resources().data_process_url;
    assert_eq!(importer.stack.depth(queue).await.visible, 31);
}

#[tokio::test]
async fn an_import_that_waits_is_known_once_the_ledger_is_back_and_never_stalled() {
    let mut importer = Importer::new().await;
    let service = held_up(&importer).await;
    importer.stack.stop_redis().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(3).bytes()).await;
    importer.stack.start_redis().await;
    in_state(&service, import_id, "received").await;
    service.stop().await.unwrap();

    // At the start the ledger is told at once what waits.
    let service = held_up(&importer).await;
    let ledger = importer.stack.ledger().await;
    let status = poll_until("the ledger to know that it waits", LONG, async || {
        let status = ledger.import_status(import_id).await.unwrap().unwrap();
        status.waited_at.is_some().then_some(status)
    })
    .await;
    let later = status.import.accepted_at + STALLED_AFTER;
    assert_eq!(status.state(later), ImportState::Received);
    drop(service);
}

#[tokio::test]
async fn rejections_name_line_reason_and_record_and_are_no_formulas() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let formula = CsvRow {
        name: "=HYPERLINK(\"http://x\")".into(),
        ..CsvRow::valid("2")
    };
    let file = CsvFile::new()
        .row(&CsvRow::valid("1"))
        .line("")
        .line("@SUM(1),too,few")
        .row(&formula)
        .row(&CsvRow::valid("4"))
        .bytes();
    let import_id = upload(&service, file).await;
    in_state(&service, import_id, "processing").await;
    let invalid = Reason::from(InvalidReason::FieldCount {
        found: 3,
        expected: 6,
    });
    let conflict = Reason {
        code: "conflict".into(),
        text: "the debt was billed with another amount".into(),
    };
    let first = rows(import_id, [1]);
    tell_of(&ledger, &first).await;
    for (outcome, row, reason) in [
        (Unbilled::Invalid, 2, Some(invalid)),
        (Unbilled::Skipped, 3, Some(conflict)),
        (Unbilled::Skipped, 4, None),
    ] {
        let rows = ended(&rows(import_id, [row]), reason.as_ref());
        ledger.end_rows(outcome, &rows).await.unwrap();
    }
    let undeliverable = Reason {
        code: "mailbox_unknown".into(),
        text: "the mail server does not know the mailbox".into(),
    };
    end_mail(&ledger, first[0], SendEnd::Undeliverable(undeliverable)).await;
    let import = in_state(&service, import_id, "completed_with_errors").await;
    assert_eq!(import["rows"]["undeliverable"], 1);
    assert_eq!(import["rows"]["mailed"], 0);
    let rejections = url(&service, &format!("/{import_id}/rejections"));
    let answer = reqwest::get(&rejections).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(
        answer.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    let bytes = answer.bytes().await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(
        text,
        "\u{feff}name,governmentId,email,debtAmount,debtDueDate,debtId,line,row,code,reason\r\n\
         \"João da Silva\",52998224725,\"joao.silva@example.com\",\"'7811.50\",\"2027-03-15\",1,2,1,\"mailbox_unknown\",\"the mail server does not know the mailbox\"\r\n\
         \"'@SUM(1)\",too,few,,,,4,2,\"field_count\",\"the record has 3 fields instead of 6\"\r\n\
         \"'=HYPERLINK(\"\"http://x\"\")\",52998224725,\"joao.silva@example.com\",\"'7811.50\",\"2027-03-15\",2,5,3,conflict,\"the debt was billed with another amount\"\r\n"
    );

    let json = Client::new()
        .get(&rejections)
        .header("accept", "application/json");
    let json: Value = json.send().await.unwrap().json().await.unwrap();
    assert_eq!(json["rejections"].as_array().unwrap().len(), 3);
    assert_eq!(json["rejections"][0]["code"], "mailbox_unknown");
    assert_eq!(json["rejections"][1]["line"], 4);
    assert_eq!(json["rejections"][1]["code"], "field_count");
    assert_eq!(json["rejections"][1]["record"], "@SUM(1),too,few");

    // The first of them, for those who need no more.
    let first = Client::new()
        .get(format!("{rejections}?limit=2"))
        .header("accept", "application/json");
    let first: Value = first.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        first["rejections"].as_array().unwrap(),
        &json["rejections"].as_array().unwrap()[..2]
    );
    let first = reqwest::get(format!("{rejections}?limit=1")).await.unwrap();
    assert_eq!(first.text().await.unwrap().lines().count(), 2);
    let limits = ["0", "1000001", "-1", "x", ""].map(|limit| format!("limit={limit}"));
    for bad in limits.into_iter().chain(["separator=x".to_owned()]) {
        let (status, problem) = get(&service, &format!("/{import_id}/rejections?{bad}")).await;
        assert_eq!(status, 400, "{bad}");
        assert_eq!(problem["type"], "urn:problem:bad-query");
    }

    // Once the file is gone, the reasons are still there.
    std::fs::remove_file(importer.spool.path().join(format!("{import_id}.csv"))).unwrap();
    let json = Client::new()
        .get(&rejections)
        .header("accept", "application/json");
    let json: Value = json.send().await.unwrap().json().await.unwrap();
    assert_eq!(json["rejections"][2]["code"], "conflict");
    assert!(json["rejections"][2]["record"].is_null());
}

#[tokio::test]
async fn events_tell_each_change_until_the_end() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(4).bytes()).await;
    in_state(&service, import_id, "processing").await;
    let events = url(&service, &format!("/{import_id}/events"));
    let mut stream = reqwest::get(&events).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    for (until, settled) in [
        ("\"mailed\":0", Some(1..=3)),
        ("\"mailed\":3", Some(4..=4)),
        ("event: end", None),
    ] {
        tokio::time::timeout(LONG, async {
            while !text.contains(until) {
                let piece = stream.chunk().await.unwrap().expect("the stream goes on");
                text.push_str(std::str::from_utf8(&piece).unwrap());
            }
        })
        .await
        .unwrap();
        if let Some(settled) = settled {
            settle(&ledger, &rows(import_id, settled)).await;
        }
    }
    let rest = tokio::time::timeout(LONG, stream.text()).await.unwrap();
    text.push_str(&rest.unwrap());
    assert!(text.contains("\"state\":\"completed\""), "{text}");

    let again = Client::new().get(&events).header("last-event-id", "end");
    assert_eq!(again.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn clients_that_follow_imports_leave_room_for_others() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(4).bytes()).await;
    in_state(&service, import_id, "processing").await;
    let (client, events) = (
        Client::new(),
        url(&service, &format!("/{import_id}/events")),
    );
    let mut followers = Vec::new();
    for _ in 0..256 {
        let answer = client.get(&events).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        followers.push(answer);
    }
    let refused = client.get(&events).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    followers.pop();
    poll_until("room for one who follows", LONG, async || {
        let answer = client.get(&events).send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_the_events_of_an_import_that_goes_on() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(4).bytes()).await;
    in_state(&service, import_id, "processing").await;
    let stream = reqwest::get(url(&service, &format!("/{import_id}/events")));
    let stream = stream.await.unwrap();
    let started = std::time::Instant::now();
    service.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(stream.text().await.unwrap().starts_with("event: import"));
}

#[tokio::test]
async fn reconciling_sends_again_what_is_not_at_its_end_and_nothing_else() {
    let importer = Importer::new().await;
    let service = importer.start_with(&[("ROWS_PER_MESSAGE", "10")]).await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(200).bytes()).await;
    in_state(&service, import_id, "processing").await;
    // The queue loses everything.
    let queue = &importer.stack.resources().data_process_url;
    let lost = importer.stack.take_all(queue).await;
    assert_eq!(lost.len(), 20);
    assert!(
        lost.iter()
            .all(|message| message.body.lines().count() == 10)
    );
    settle(&ledger, &rows(import_id, 1..=150)).await;
    let unmailed = rows(import_id, 151..=153);
    bill_debts(&ledger, &unmailed[2..], debt_of).await;
    tell_of(&ledger, &unmailed[..2]).await;
    // An e-mail that can never be delivered is at its end.
    let refused = rows(import_id, [154]);
    bill_debts(&ledger, &refused, debt_of).await;
    let reason = Reason::from(InvalidReason::EmailInvalid);
    end_mail(&ledger, refused[0], SendEnd::Undeliverable(reason)).await;

    let (status, answer) = post(&service, &format!("/{import_id}/reconcile")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["without_outcome"], 46);
    assert_eq!(answer["not_notified"], 1);
    assert_eq!(answer["not_mailed"], 2);
    // Each row in a message of its own.
    let messages = importer.stack.take_all(queue).await;
    assert!(
        messages
            .iter()
            .all(|message| message.body.lines().count() == 1)
    );
    let mut sent: Vec<u64> = messages
        .iter()
        .map(|message| message.attributes["row"].parse().unwrap())
        .collect();
    sent.sort_unstable();
    let unsettled = (151..=200).filter(|row| *row != 154);
    assert_eq!(sent, unsettled.collect::<Vec<u64>>());
    let marks = ledger.notified(&["debt-151", "debt-152"]).await.unwrap();
    assert_eq!(marks, [false, false]);
}

/// Bills these rows and tells of them, as the workers would.
async fn tell_of(ledger: &SharedLedger, rows: &[RowId]) {
    bill_debts(ledger, rows, debt_of).await;
    tell_debts(ledger, rows, debt_of).await;
}

/// Records how the e-mail of a row's debt ended.
async fn end_mail(ledger: &SharedLedger, row: RowId, end: SendEnd) {
    end_debts(ledger, Channel::MAIL, &[(row, end)], debt_of).await;
}

/// The debt of a row of a file of valid rows.
fn debt_of(row: &RowId) -> String {
    format!("debt-{}", row.row)
}

#[tokio::test]
async fn an_import_that_waits_for_a_mail_server_is_no_stalled_one_and_is_left_alone() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(5).bytes()).await;
    in_state(&service, import_id, "processing").await;
    let queue = &importer.stack.resources().data_process_url;
    importer.stack.take_all(queue).await;
    settle(&ledger, &rows(import_id, 1..=3)).await;
    let waiting = rows(import_id, 4..=5);
    tell_of(&ledger, &waiting).await;
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let (soon, later) = (
        now + SignedDuration::from_mins(5),
        now + SignedDuration::from_mins(60),
    );
    let told = [put_off(waiting[0], soon), put_off(waiting[1], later)];
    ledger.record_put_off(&told).await.unwrap();

    let import = in_state(&service, import_id, "waiting").await;
    assert_eq!(import["over"], false);
    assert_eq!(import["rows"]["put_off"], 2);
    assert_eq!(import["put_off"]["first_try_at"], soon.to_string());
    assert_eq!(import["put_off"]["last_try_at"], later.to_string());
    let (_, page) = get(&service, "").await;
    assert_eq!(page["imports"][0]["state"], "waiting");
    assert_eq!(page["imports"][0]["put_off"], import["put_off"]);
    let events = reqwest::get(url(&service, &format!("/{import_id}/events"))).await;
    let event = events.unwrap().chunk().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&event).unwrap().contains("\"waiting\""));
    poll_until("the gauge of those that wait", LONG, async || {
        (service.metric("imports_put_off").await == 1).then_some(())
    })
    .await;
    // Nor after an hour in which nothing moves.
    let status = ledger.import_status(import_id).await.unwrap().unwrap();
    let last_moment = soon + STALLED_AFTER - SignedDuration::from_secs(1);
    assert_eq!(status.state(last_moment), ImportState::Waiting);
    assert_eq!(status.state(soon + STALLED_AFTER), ImportState::Stalled);

    let route = format!("/{import_id}/reconcile");
    let (_, answer) = post(&service, &route).await;
    assert_eq!(
        (&answer["put_off"], &answer["not_mailed"]),
        (&2.into(), &0.into())
    );
    assert!(importer.stack.depth(queue).await.is_empty());
    let marks = ledger.notified(&["debt-4", "debt-5"]).await.unwrap();
    assert_eq!(marks, [true, true]);

    // One whose message has not come for too long is lost.
    let lost = now - STALLED_AFTER;
    ledger
        .record_put_off(&[put_off(waiting[0], lost)])
        .await
        .unwrap();
    let import = in_state(&service, import_id, "processing").await;
    assert_eq!(import["rows"]["put_off"], 1);
    let (_, answer) = post(&service, &route).await;
    assert_eq!(
        (&answer["put_off"], &answer["not_mailed"]),
        (&1.into(), &1.into())
    );
    let sent = importer.stack.take_all(queue).await;
    let sent: Vec<&str> = sent.iter().map(|m| &*m.attributes["row"]).collect();
    assert_eq!(sent, ["4"]);
}

#[tokio::test]
async fn undeliverable_e_mails_are_taken_up_again_by_their_code_or_all() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(6).bytes()).await;
    in_state(&service, import_id, "processing").await;
    let queue = &importer.stack.resources().data_process_url;
    importer.stack.take_all(queue).await;
    settle(&ledger, &rows(import_id, 1..=3)).await;
    tell_of(&ledger, &rows(import_id, 4..=6)).await;
    for (row, code) in [
        (4, "mailbox_refused"),
        (5, "message_refused"),
        (6, "mailbox_refused"),
    ] {
        let row = rows(import_id, [row])[0];
        let reason = Reason {
            code: code.into(),
            text: "550".into(),
        };
        end_mail(&ledger, row, SendEnd::Undeliverable(reason)).await;
    }
    in_state(&service, import_id, "completed_with_errors").await;
    poll_until("its end to be seen", LONG, async || {
        (service.metric("imports_open").await == 0).then_some(())
    })
    .await;

    let reopen = async |query: &str| {
        let route = format!("/{import_id}/reopen{query}");
        let (status, answer) = post(&service, &route).await;
        assert_eq!(status, 200, "{answer}");
        let sent = importer.stack.take_all(queue).await;
        let sent = sent.iter().map(|message| message.attributes["row"].clone());
        let mut sent: Vec<String> = sent.collect();
        sent.sort_unstable();
        (answer["reopened"].as_u64().unwrap(), sent)
    };
    assert_eq!(reopen("?code=mail_put_off_too_long").await, (0, vec![]));
    let import = in_state(&service, import_id, "completed_with_errors").await;
    assert_eq!(import["over"], true);
    let sent = vec!["4".to_owned(), "6".to_owned()];
    assert_eq!(reopen("?code=mailbox_refused").await, (2, sent));
    let import = in_state(&service, import_id, "processing").await;
    assert_eq!(
        (&import["over"], &import["finished_at"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(import["rows"]["undeliverable"], 1);
    poll_until("it to be watched again", LONG, async || {
        (service.metric("imports_open").await == 1).then_some(())
    })
    .await;
    // Nothing stands in the way of the workers.
    let debts = ["debt-4", "debt-5", "debt-6"];
    let marks = ledger.notified(&debts).await.unwrap();
    assert_eq!(marks, [false, true, false]);
    let (owner, lease) = (Uuid::new_v4(), Duration::from_mins(1));
    let claims = ledger
        .claim_sends(Channel::MAIL, &debts, owner, lease)
        .await
        .unwrap();
    assert_eq!([&claims[0], &claims[2]], [&SendClaim::Granted; 2]);
    assert!(matches!(claims[1], SendClaim::Ended(_)));
    // A repeat takes up what is left; what was sent stays so.
    assert_eq!(reopen("?code=mailbox_refused").await, (0, vec![]));
    assert_eq!(reopen("").await, (1, vec!["5".to_owned()]));
    assert_eq!(reopen("").await, (0, vec![]));
    let claims = ledger
        .claim_sends(Channel::MAIL, &["debt-1"], owner, lease)
        .await;
    assert_eq!(claims.unwrap(), [SendClaim::Ended(SendEnd::Sent)]);

    for query in [
        "?code=",
        "?code=A",
        "?code=a%20b",
        "?cod=mailbox_refused",
        "?Code=mailbox_refused",
    ] {
        let (status, problem) = post(&service, &format!("/{import_id}/reopen{query}")).await;
        assert_eq!(
            (status.as_u16(), &problem["type"]),
            (400, &"urn:problem:bad-query".into())
        );
    }
}

#[tokio::test]
async fn the_same_upload_with_the_same_key_is_the_same_import() {
    let mut importer = Importer::new().await;
    let service = importer.start().await;
    let file = CsvFile::new().valid_rows(3).bytes();
    let first = upload_with(&service, "key-1", file.clone()).await;
    assert_eq!((first.0, &first.1["replayed"]), (202, &false.into()));
    let again = upload_with(&service, "key-1", file.clone()).await;
    assert_eq!((again.0, &again.1["replayed"]), (202, &true.into()));
    assert_eq!(again.1["import_id"], first.1["import_id"]);
    assert_eq!(again.1["rows"], 3);

    let other = CsvFile::new().valid_rows(4).bytes();
    let taken = upload_with(&service, "key-1", other).await;
    assert_eq!(
        (taken.0, &taken.1["type"]),
        (422, &"urn:problem:idempotency-key-taken".into())
    );
    let another = upload_with(&service, "key-2", file.clone()).await;
    assert_ne!(another.1["import_id"], first.1["import_id"]);
    let bad = upload_with(&service, "a b", file.clone()).await;
    assert_eq!(bad.0, 400);

    let (_, page) = get(&service, "").await;
    assert_eq!(page["imports"].as_array().unwrap().len(), 2);
    importer.stack.kill_redis();
    let away = upload_with(&service, "key-3", file).await;
    assert_eq!(
        (away.0, &away.1["type"]),
        (503, &"urn:problem:ledger-away".into())
    );
    let csv = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|e| e == "csv");
    let files = std::fs::read_dir(importer.spool.path()).unwrap();
    assert_eq!(files.filter(|e| csv(e.as_ref().unwrap())).count(), 2);
}

#[tokio::test]
async fn a_key_belongs_to_the_token_with_which_it_was_sent() {
    let importer = Importer::new().await;
    let tokens = ["first-token-of-two", "second-token-of-two"];
    let service = importer
        .start_with(&[("API_TOKENS", &tokens.join(","))])
        .await;
    ready(&service).await;
    let upload = async |token: &str, rows| {
        let file = CsvFile::new().valid_rows(rows).bytes();
        let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
        let request = Client::new().post(format!("{}/v1/upload", service.url()));
        let request = request.bearer_auth(token).header("idempotency-key", "may");
        let answer = request.multipart(form).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (_, first) = upload(tokens[0], 3).await;
    let (_, again) = upload(tokens[0], 3).await;
    assert_eq!(
        (&first["replayed"], &again["replayed"]),
        (&false.into(), &true.into())
    );
    // Neither the import of the other client, nor a refusal that tells of it.
    let (_, same_file) = upload(tokens[1], 3).await;
    assert_eq!(same_file["replayed"], false);
    assert_ne!(same_file["import_id"], first["import_id"]);
    assert_eq!(upload(tokens[1], 4).await.0, 422);
}

#[tokio::test]
async fn of_many_uploads_at_once_with_one_key_one_is_an_import() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let file = CsvFile::new().valid_rows(30).bytes();
    let uploads = (0..8).map(|_| upload_with(&service, "one", file.clone()));
    let answers = futures::future::join_all(uploads).await;
    let id = &answers[0].1["import_id"];
    assert!(
        answers
            .iter()
            .all(|(status, body)| *status == 202 && body["import_id"] == *id)
    );
    let (_, page) = get(&service, "").await;
    assert_eq!(page["imports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_file_of_a_finished_import_is_removed_after_its_retention() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let done = upload(&service, CsvFile::new().valid_rows(2).bytes()).await;
    let open = upload(&service, CsvFile::new().valid_rows(2).bytes()).await;
    settle(&ledger, &rows(done, 1..=2)).await;
    in_state(&service, done, "completed").await;
    in_state(&service, open, "processing").await;
    service.stop().await.unwrap();

    let service = importer.start_with(&[("SPOOL_RETENTION_HOURS", "0")]).await;
    let files = |id: Uuid| {
        let files = std::fs::read_dir(importer.spool.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        files
            .map(name)
            .filter(|n| n.to_string_lossy().starts_with(&id.to_string()))
            .count()
    };
    poll_until("the old file to go", LONG, async || {
        (files(done) == 0).then_some(())
    })
    .await;
    assert_eq!(files(open), 3);
    // What became of it is still known.
    in_state(&service, done, "completed").await;
}

async fn upload_with(service: &RunningService, key: &str, file: Vec<u8>) -> (u16, Value) {
    let form = Form::new().part("file", Part::bytes(file));
    let url = format!("{}/v1/upload", service.url());
    let request = Client::new().post(url).header("idempotency-key", key);
    let answer = request.multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Each record of a message has its line; a file without such a column has none.
#[tokio::test]
async fn an_optional_column_travels_beside_the_records() {
    let file = "Telefone;name;governmentId;email;debtAmount;debtDueDate;debtId\n\
                11 91234-5678;Ana;1;a@b.co;7;2027-01-19;1\n\
                -;Bia;2;b@b.co;7;2027-01-19;2\n\
                11;Cia;3;c@b.co;7;2027-01-19;3\n";
    let plain = file.replace("Telefone", "Fax");
    let importer = Importer::new().await;
    let queue = &importer.stack.resources().data_process_url;
    let (ana, bia, cia) = (r#"{"phone":"11 91234-5678"}"#, "{}", r#"{"phone":"11"}"#);
    for (rows_per_message, file, expected) in [
        (
            "1",
            file,
            vec![
                Some(ana.to_owned()),
                Some(bia.to_owned()),
                Some(cia.to_owned()),
            ],
        ),
        (
            "2",
            file,
            vec![Some(format!("{ana}\n{bia}")), Some(cia.to_owned())],
        ),
        ("2", &plain, vec![None, None]),
    ] {
        let service = importer
            .start_with(&[("ROWS_PER_MESSAGE", rows_per_message)])
            .await;
        let import_id = upload(&service, file.as_bytes().to_vec()).await;
        in_state(&service, import_id, "processing").await;
        let mut sent = importer.stack.take_all(queue).await;
        sent.sort_by_key(|message| message.row().map(|row| row.row));
        assert!(sent[0].body.starts_with("Ana,1,a@b.co,7,2027-01-19,1"));
        let columns = sent
            .iter()
            .map(|message| message.attributes.get("columns").cloned());
        assert_eq!(columns.collect::<Vec<_>>(), expected);
        service.stop().await.unwrap();
    }
}

/// Beside the figures that an import has without it, and after its end too.
#[tokio::test]
async fn what_another_channel_has_sent_is_shown() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(3).bytes()).await;
    in_state(&service, import_id, "processing").await;
    settle(&ledger, &rows(import_id, 1..=3)).await;
    let seen = in_state(&service, import_id, "completed").await;
    assert_eq!(seen.get("channels"), None);
    let why = Reason::from(InvalidReason::EmailInvalid);
    let ends = [SendEnd::Sent, SendEnd::Undeliverable(why), SendEnd::Sent];
    let ends: Vec<_> = rows(import_id, 1..=3).into_iter().zip(ends).collect();
    end_debts(&ledger, Channel::new("sms"), &ends, debt_of).await;
    let seen = in_state(&service, import_id, "completed").await;
    assert_eq!(
        seen["channels"],
        json!({"sms": {"sent": 2, "undeliverable": 1}})
    );
}
