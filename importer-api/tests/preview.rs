//! A file is looked at before it is billed, through HTTP, with a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::fs;

use common::ledger::{Bill, Claim, DebtLedger, RowLedger};
use contract::{RowId, RowIdentity};
use importer::{Importer, LONG, ready, upload};
use jiff::{Timestamp, ToSpan};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use testkit::{CsvFile, CsvRow, RunningService, poll_until};
use uuid::Uuid;

fn row(debt_id: &str, amount: &str, due: &str) -> CsvRow {
    CsvRow {
        debt_amount: amount.to_owned(),
        debt_due_date: due.to_owned(),
        ..CsvRow::valid(debt_id)
    }
}

/// Three debts that can be billed, of which one was due long ago; one of them twice, with another
/// amount; four rows that cannot be billed, one for the bank alone.
fn mixed() -> Vec<u8> {
    let bad_email = CsvRow {
        email: "nobody".to_owned(),
        ..CsvRow::valid("e")
    };
    CsvFile::new()
        .row(&row("a", "10.05", "2027-03-15"))
        .row(&bad_email)
        .row(&row("b", "99999999.99", "2027-12-31"))
        .line("")
        .row(&row("a", "20", "2027-03-15"))
        .line("too,few")
        .row(&row("c", "1", "2026-01-31"))
        .row(&row("d", "1,2,3", "2027-03-15"))
        .row(&row("f", "1", "2049-10-13"))
        .bytes()
}

async fn send(service: &RunningService, token: &str, file: Vec<u8>, accept: &str) -> Response {
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let url = format!("{}/v1/uploads/preview", service.url());
    let request = Client::new().post(url).bearer_auth(token);
    let request = request.header("accept", accept).multipart(form);
    request.send().await.unwrap()
}

async fn preview(service: &RunningService, file: Vec<u8>) -> Value {
    let answer = send(service, "none", file, "*/*").await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn accept(service: &RunningService, token: &str, preview: &Value) -> (StatusCode, Value) {
    let id = preview["preview_id"].as_str().unwrap();
    let url = format!("{}/v1/upload?preview={id}", service.url());
    let answer = Client::new().post(url).bearer_auth(token).send().await;
    let answer = answer.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Waits until so many rows of an import are sent.
async fn is_sent(service: &RunningService, import: &Value, rows: u64) {
    let route = format!("/v1/imports/{}", import["import_id"].as_str().unwrap());
    poll_until("the rows to be sent", LONG, async || {
        let (_, text) = service.answer(&route).await;
        let import: Value = serde_json::from_str(&text).ok()?;
        (import["rows"]["sent"] == rows && !import["sent_at"].is_null()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_would_be_billed_and_bills_nothing() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let preview = preview(&service, mixed()).await;

    assert_eq!(preview["file_name"], "debts.csv");
    assert_eq!(
        preview["rows"],
        json!({"total": 8, "valid": 3, "invalid": 4, "duplicates": 1, "conflicts": 1, "already_billed": 0})
    );
    // To the centavo, where a float of the same size would do as well.
    assert_eq!(preview["amount"]["sum"], json!(100_000_011.04));
    assert_eq!(
        preview["due"],
        json!({"first": "2026-01-31", "last": "2027-12-31", "past": 1})
    );
    let problems = preview["problems"].as_array().unwrap();
    let problems: Vec<_> = problems
        .iter()
        .map(|of| json!([of["line"], of["row"], of["column"], of["code"]]))
        .collect();
    assert_eq!(
        problems,
        [
            json!([3, 2, "email", "email_invalid"]),
            json!([6, 4, null, "conflict_in_file"]),
            json!([7, 5, null, "field_count"]),
            json!([9, 7, "debtAmount", "amount_malformed"]),
            json!([10, 8, "debtDueDate", "due_date_outside_window"]),
        ]
    );
    let (_, list) = service.answer("/v1/imports").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["imports"], json!([]));
    let queue = &importer.stack.resources().data_process_url;
    assert!(importer.stack.depth(queue).await.is_empty());
}

#[tokio::test]
async fn what_is_billed_is_said_and_not_judged_again() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(1).bytes()).await;
    let id = RowId { import_id, row: 1 };
    let bill = Bill {
        debt_id: "a".to_owned(),
        claim: Claim::new(
            RowIdentity::Row(id),
            serde_json::to_string(&testkit::billed("a", 1)).unwrap(),
        ),
    };
    ledger.bill(&[bill]).await.unwrap();
    assert!(ledger.row_facts(import_id, 1, 1).await.unwrap()[0].billed);

    let preview = preview(&service, mixed()).await;
    assert_eq!(
        preview["rows"],
        json!({"total": 8, "valid": 2, "invalid": 4, "duplicates": 0, "conflicts": 2, "already_billed": 2})
    );
    let problem = &preview["problems"][0];
    assert_eq!(
        (&problem["row"], &problem["code"]),
        (&json!(1), &json!("conflict"))
    );
    assert_eq!(
        problem["reason"],
        "the debt was billed with another amount, due date, e-mail"
    );
    assert_eq!(preview["amount"]["sum"], json!(100_000_000.99));
}

#[tokio::test]
async fn a_preview_becomes_one_import_however_often_it_is_accepted() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let preview = preview(&service, CsvFile::new().valid_rows(30).bytes()).await;
    // A restart does not matter.
    service.stop().await.unwrap();
    let service = importer.start().await;

    let (first, second) = tokio::join!(
        accept(&service, "none", &preview),
        accept(&service, "none", &preview)
    );
    let third = accept(&service, "none", &preview).await;
    for (status, answer) in [&first, &second, &third] {
        assert_eq!(
            (*status, &answer["rows"]),
            (StatusCode::ACCEPTED, &json!(30))
        );
        assert_eq!(answer["import_id"], preview["preview_id"]);
    }
    assert_eq!(third.1["replayed"], true);
    is_sent(&service, &third.1, 30).await;
    let queue = &importer.stack.resources().data_process_url;
    assert_eq!(importer.stack.take_all(queue).await.len(), 30);
    // File, manifest and perhaps what says that all of it is sent.
    assert!((2..=3).contains(&kept(&importer)));
    // An import that was uploaded is no preview.
    let uploaded = upload(&service, CsvFile::new().valid_rows(1).bytes()).await;
    let uploaded = json!({"preview_id": uploaded});
    let (status, problem) = accept(&service, "none", &uploaded).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["type"], "urn:problem:no-such-preview");
}

#[tokio::test]
async fn what_comes_with_a_preview_is_not_silently_left_aside() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let file = || CsvFile::new().valid_rows(3).bytes();
    let preview = preview(&service, file()).await;
    let id = preview["preview_id"].as_str().unwrap();
    let url = format!("{}/v1/upload?preview={id}", service.url());
    let form = Form::new().part("file", Part::bytes(file()).file_name("other.csv"));
    for request in [
        Client::new().post(&url).multipart(form),
        Client::new().post(&url).header("idempotency-key", "a"),
        Client::new().post(format!("{}/v1/upload?preview=7", service.url())),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "urn:problem:bad-query");
    }
    let (status, _) = accept(&service, "none", &preview).await;
    assert_eq!(status, StatusCode::ACCEPTED);
}

/// What is kept in the spool beside its own files.
fn kept(importer: &Importer) -> usize {
    let entries = fs::read_dir(importer.spool.path()).unwrap();
    let of_files = entries.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some()
    });
    of_files.count()
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_answer_leaves_nothing() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let file = CsvFile::new().valid_rows(60_000).bytes();
    for accept in ["*/*", "text/event-stream"] {
        let looking = send(&service, "none", file.clone(), accept);
        let mut looking = Box::pin(async { looking.await.chunk().await });
        poll_until("the file to be kept", LONG, async || {
            let waited = tokio::time::timeout(std::time::Duration::from_millis(1), &mut looking);
            let _ = waited.await;
            (kept(&importer) == 2).then_some(())
        })
        .await;
        drop(looking);
        poll_until("the file to be removed", LONG, async || {
            (kept(&importer) == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_preview_is_for_an_hour_and_for_its_client_alone() {
    let importer = Importer::new().await;
    let (own, other) = ("a-token-of-one-client", "a-token-of-another-client");
    let tokens = format!("{own},{other}");
    let service = importer.start_with(&[("API_TOKENS", &tokens)]).await;
    ready(&service).await;
    let file = CsvFile::new().valid_rows(2).bytes();
    let preview: Value = send(&service, own, file, "application/json")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        accept(&service, other, &preview).await.0,
        StatusCode::NOT_FOUND
    );
    let unknown = json!({"preview_id": Uuid::now_v7()});
    assert_eq!(
        accept(&service, own, &unknown).await.0,
        StatusCode::NOT_FOUND
    );

    let id = preview["preview_id"].as_str().unwrap();
    let path = importer.spool.path().join(format!("{id}.preview"));
    let mut kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (minutes, status) in [(61, StatusCode::NOT_FOUND), (59, StatusCode::ACCEPTED)] {
        let accepted_at = Timestamp::now() - minutes.minutes();
        kept["accepted_at"] = json!(accepted_at.to_string());
        fs::write(&path, kept.to_string()).unwrap();
        assert_eq!(accept(&service, own, &preview).await.0, status);
    }
    let import = json!({"import_id": id});
    let url = format!("{}/v1/imports/{id}", service.url());
    let found: Value = Client::new()
        .get(url)
        .bearer_auth(own)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(found["import_id"], import["import_id"]);
    let accepted: Timestamp = found["accepted_at"].as_str().unwrap().parse().unwrap();
    assert!(Timestamp::now().duration_since(accepted) < jiff::SignedDuration::from_mins(1));
}

#[tokio::test]
async fn the_progress_of_a_preview_can_be_followed() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let answer = send(&service, "none", mixed(), "text/event-stream").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: preview\ndata: ").unwrap();
    let preview: Value = serde_json::from_str(data).unwrap();
    assert_eq!(preview["rows"]["valid"], 3);
}

#[tokio::test]
async fn a_ledger_that_is_away_is_done_without() {
    let mut importer = Importer::new().await;
    let service = importer.start().await;
    importer.stack.kill_redis();
    let preview = preview(&service, mixed()).await;
    assert_eq!(preview["rows"]["already_billed"], Value::Null);
    assert_eq!(preview["rows"]["valid"], 3);
    let (status, _) = accept(&service, "none", &preview).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    importer.stack.start_redis().await;
    let import = json!({"import_id": preview["preview_id"]});
    is_sent(&service, &import, 8).await;
}

#[tokio::test]
async fn a_form_without_a_csv_is_refused_as_an_upload_is() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let answer = send(&service, "none", b"a,b\n1,2\n".to_vec(), "*/*").await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(kept(&importer), 0);
}
