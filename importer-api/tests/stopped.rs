//! Imports whose sending was stopped half way: what got out all the same counts, and is made good.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use common::ledger::{CarrierLedger, Checkpoint, ImportLease, ImportLedger};
use contract::RowId;
use importer::{Importer, LONG, upload};
use importer_api::rejections::{open_records, read_rejections};
use importer_api::spool::Spool;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use testkit::{CsvFile, RunningService, bill_rows, poll_until, tell_rows};
use tokio::sync::mpsc;
use uuid::Uuid;

async fn import(service: &RunningService, import_id: Uuid) -> Value {
    let url = format!("{}/v1/imports/{import_id}", service.url());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

fn row(import_id: Uuid, row: u64) -> RowId {
    RowId { import_id, row }
}

#[tokio::test]
async fn what_got_out_before_earlier_rows_of_a_cancelled_import_is_reconciled() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(6).bytes()).await;
    poll_until("it to be sent", LONG, async || {
        let import = import(&service, import_id).await;
        import["sent_at"].is_string().then_some(())
    })
    .await;
    let queue = &importer.stack.resources().data_process_url;
    importer.stack.take_all(queue).await;
    // As if row 3 had never been accepted: of those behind it row 5 was.
    let now = Timestamp::now();
    let lease = ImportLease {
        import_id,
        epoch: 1,
    };
    let sent = Checkpoint { rows: 2, offset: 1 };
    ledger.record_sent(&lease, sent, Some(now)).await.unwrap();
    ledger.cancel_import(import_id, now).await.unwrap();
    let told = [row(import_id, 2), row(import_id, 5)];
    bill_rows(&ledger, &told).await;
    tell_rows(&ledger, &told).await;

    let url = format!("{}/v1/imports/{import_id}/reconcile", service.url());
    let answer = Client::new().post(url).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let expected = json!({"without_outcome": 1, "not_notified": 0, "not_mailed": 2, "put_off": 0});
    assert_eq!(answer, expected);
    let sent = importer.stack.take_all(queue).await;
    let mut sent: Vec<_> = sent
        .iter()
        .map(|sent| sent.attributes["row"].clone())
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, ["1", "2", "5"]);
}

#[tokio::test]
async fn a_failed_import_is_over_once_what_it_sent_is_at_its_end() {
    let importer = Importer::new().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let service = importer.start_with(&nowhere).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(400).bytes()).await;
    service.stop().await.unwrap();
    let file = importer.spool.path().join(format!("{import_id}.csv"));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();

    let service = importer.start().await;
    let failed = poll_until("it to fail", LONG, async || {
        let import = import(&service, import_id).await;
        (import["state"] == "failed").then_some(import)
    })
    .await;
    let sent = failed["rows"]["sent"].as_u64().unwrap();
    assert!((1..400).contains(&sent), "{failed}");
    assert_eq!(failed["rows"]["not_sent"], 400 - sent);
    // The row that was cut is among them, and invalid.
    assert_eq!(failed["rows"]["pending"], sent - 1);
    assert_eq!(failed["over"], false);
}

#[tokio::test]
async fn rejections_are_read_as_they_are_taken_and_no_more_than_asked_for() {
    const ROWS: u64 = 60;
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let mut file = CsvFile::new();
    for _ in 0..ROWS {
        file = file.line(&format!("{},too,few", "x".repeat(40_000)));
    }
    let import_id = upload(&service, file.bytes()).await;
    poll_until("all rows to be invalid", LONG, async || {
        let import = import(&service, import_id).await;
        (import["rows"]["invalid"] == ROWS).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    let spool = Spool::open(importer.spool.path()).unwrap();
    for limit in [usize::MAX, 7] {
        let (groups, mut taken) = mpsc::channel(1);
        let of = (import_id, ROWS);
        let records = open_records(&spool, import_id).await.unwrap();
        let reading = read_rejections(&ledger, records, of, limit, &groups);
        let taking = async {
            let mut rows = Vec::new();
            while rows.len() < limit.min(60) {
                let group = taken.recv().await.unwrap();
                let texts = group.iter().map(|rejection| {
                    let record = rejection.record.as_ref();
                    record.unwrap().text.len()
                });
                let bytes: usize = texts.sum();
                assert!(bytes < 128 * 1024, "{bytes} bytes at a time");
                rows.extend(group.iter().map(|rejection| rejection.row));
            }
            rows
        };
        let (read, rows) = tokio::join!(reading, taking);
        read.unwrap();
        let most = u64::try_from(limit).unwrap().min(ROWS);
        assert_eq!(rows, (1..=most).collect::<Vec<_>>());
    }
}
