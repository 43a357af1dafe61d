//! How imports come to their end, through HTTP, with a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::time::Duration;

use common::ledger::{
    CarrierLedger, Carrying, Checkpoint, EndedRow, ImportLease, ImportLedger, RowLedger,
    SharedLedger, Unbilled,
};
use importer::{Importer, LONG, upload};
use jiff::Timestamp;
use serde_json::Value;
use testkit::{CsvFile, RunningService, new_import, poll_until};
use uuid::Uuid;

/// Makes an import known whose file is in no spool, and whose rows up to `sent` were sent.
async fn without_file(ledger: &SharedLedger, rows: u64, sent: u64) -> Uuid {
    let import_id = Uuid::now_v7();
    let import = new_import(import_id, rows);
    ledger.register_import(&import).await.unwrap();
    record_sent(ledger, import_id, sent, None).await;
    import_id
}

/// Records how far an import is sent that nobody has carried yet.
async fn record_sent(
    ledger: &SharedLedger,
    import_id: Uuid,
    rows: u64,
    sent_at: Option<Timestamp>,
) -> Carrying {
    let lease = ImportLease {
        import_id,
        epoch: 0,
    };
    let sent = Checkpoint { rows, offset: 1 };
    ledger.record_sent(&lease, sent, sent_at).await.unwrap()
}

/// Ends these rows without a bill, so that no e-mail is missing.
async fn skip(ledger: &SharedLedger, import_id: Uuid, rows: impl IntoIterator<Item = u64>) {
    let row = |row| contract::RowId { import_id, row };
    let rows: Vec<_> = rows.into_iter().map(row).map(EndedRow::from).collect();
    ledger.end_rows(Unbilled::Skipped, &rows).await.unwrap();
}

/// Uploads a file of two rows, and gives its import.
async fn get(service: &RunningService, import_id: Uuid) -> Value {
    let (status, import) = service.answer(&format!("/v1/imports/{import_id}")).await;
    assert_eq!(status, 200, "{import}");
    serde_json::from_str(&import).unwrap()
}

/// How many ends in that state the service has counted.
async fn ended(service: &RunningService, state: &str) -> u64 {
    let metrics = service.get("/metrics").await;
    let label = format!("state=\"{state}\"");
    let mut samples = metrics
        .lines()
        .filter(|line| line.starts_with("imports_ended_total{") && line.contains(&label));
    let (_, value) = samples.next().unwrap().rsplit_once(' ').unwrap();
    value.parse().unwrap()
}

#[tokio::test]
async fn an_end_counts_once_whoever_sees_it_first() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    for number in 1..=8 {
        let import_id = without_file(&ledger, 1, 1).await;
        skip(&ledger, import_id, [1]).await;
        if number % 2 == 0 {
            assert_eq!(get(&service, import_id).await["over"], true);
        }
    }
    poll_until("all ends to be seen", LONG, async || {
        let open = ledger.open_imports().await.unwrap();
        open.is_empty().then_some(())
    })
    .await;
    // The watcher counts once the ledger has answered.
    poll_until("all ends to count", LONG, async || {
        (ended(&service, "completed").await >= 8).then_some(())
    })
    .await;
    assert_eq!(ended(&service, "completed").await, 8);
}

#[tokio::test]
async fn a_cancel_that_came_too_late_to_stop_a_row_does_not_show_in_the_state() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    // All sent; and a crash before it was recorded that the last row is.
    for recorded in [3, 2] {
        let import_id = without_file(&ledger, 3, recorded).await;
        let now = Timestamp::now();
        ledger.cancel_import(import_id, now).await.unwrap();
        skip(&ledger, import_id, 1..=3).await;
        let carrying = record_sent(&ledger, import_id, recorded, Some(now)).await;
        assert_eq!(carrying, Carrying::Cancelled);
        let import = get(&service, import_id).await;
        assert_eq!(
            (&import["state"], &import["over"]),
            (&"completed".into(), &true.into())
        );
        assert_eq!(import["rows"]["not_sent"], 0);
    }
    // Nothing is left to be cancelled.
    let import_id = without_file(&ledger, 3, 3).await;
    let url = format!("{}/v1/imports/{import_id}/cancel", service.url());
    let answer = reqwest::Client::new().post(url).send().await.unwrap();
    assert_eq!(answer.status(), 409);
}

#[tokio::test]
async fn an_import_whose_carrier_is_lost_is_abandoned_a_minute_after_its_cancel() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let ago = |seconds| Timestamp::now() - Duration::from_secs(seconds);
    let import_id = without_file(&ledger, 30, 10).await;
    skip(&ledger, import_id, 1..=10).await;
    let lately = without_file(&ledger, 30, 10).await;
    for import_id in [import_id, lately] {
        let spool = new_import(import_id, 30).spool;
        let lasts = Duration::from_mins(5);
        let taken = ledger.take_import(&spool, Uuid::new_v4(), lasts).await;
        assert_eq!(taken.unwrap().unwrap().lease.import_id, import_id);
    }
    ledger.cancel_import(import_id, ago(61)).await.unwrap();
    ledger.cancel_import(lately, ago(30)).await.unwrap();

    let import = get(&service, import_id).await;
    assert_eq!(
        (&import["state"], &import["over"]),
        (&"abandoned".into(), &true.into())
    );
    assert_eq!(
        (&import["rows"]["not_sent"], &import["rows"]["pending"]),
        (&20.into(), &0.into())
    );
    let import = get(&service, lately).await;
    assert_eq!(
        (&import["state"], &import["over"]),
        (&"cancelled".into(), &false.into())
    );
    poll_until("its end to count", LONG, async || {
        (ended(&service, "abandoned").await == 1).then_some(())
    })
    .await;
    let url = format!("{}/v1/imports/{import_id}/cancel", service.url());
    let answer = reqwest::Client::new().post(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(get(&service, import_id).await["state"], "abandoned");
}

#[tokio::test]
async fn an_import_whose_files_are_gone_when_its_turn_comes_fails() {
    let importer = Importer::new().await;
    let settings = [
        ("SQS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("MAX_OPEN_IMPORTS", "1"),
    ];
    let service = importer.start_with(&settings).await;
    let before = upload(&service, CsvFile::new().valid_rows(2).bytes()).await;
    poll_until("the turn of the first", LONG, async || {
        let (status, text) = service.answer("/ready").await;
        (status == 503 && text.contains("SQS")).then_some(())
    })
    .await;
    let import_id = upload(&service, CsvFile::new().valid_rows(2).bytes()).await;
    for kind in ["json", "csv"] {
        let file = importer.spool.path().join(format!("{import_id}.{kind}"));
        std::fs::remove_file(file).unwrap();
    }
    let url = format!("{}/v1/imports/{before}/cancel", service.url());
    reqwest::Client::new().post(url).send().await.unwrap();

    let import = poll_until("the import to fail", LONG, async || {
        let import = get(&service, import_id).await;
        (import["state"] == "failed").then_some(import)
    })
    .await;
    assert_eq!(
        (&import["over"], &import["rows"]["not_sent"]),
        (&true.into(), &2.into())
    );
}
