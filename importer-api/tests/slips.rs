//! The slips of an import as an archive, through HTTP.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::io::{Cursor, Read};

use boleto::Agreement;
use common::ledger::{AgreementLedger, Bill, Claim, DebtLedger};
use contract::{RowId, RowIdentity};
use importer::{Importer, LONG, upload};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use testkit::{CsvFile, RunningService, poll_until};
use uuid::Uuid;
use zip::ZipArchive;

/// Bills those rows of an import as billing-worker would.
async fn bill(importer: &Importer, import_id: Uuid, rows: &[u64]) {
    let bill = |row: &u64| {
        let (row, debt_id) = (*row, format!("debt-{row}"));
        let notification = testkit::billed(&debt_id, row);
        let claim = Claim::new(
            RowIdentity::Row(RowId { import_id, row }),
            serde_json::to_string(&notification).unwrap(),
        );
        Bill { debt_id, claim }
    };
    let bills: Vec<_> = rows.iter().map(bill).collect();
    importer.stack.ledger().await.bill(&bills).await.unwrap();
}

async fn keep_agreement(importer: &Importer) {
    let ledger = importer.stack.ledger().await;
    let agreement = Agreement::demonstration();
    ledger.keep_agreement(&agreement).await.unwrap();
}

async fn ask(service: &RunningService, import_id: Uuid, query: &str) -> Response {
    let route = format!("{}/v1/imports/{import_id}", service.url());
    reqwest::get(format!("{route}/boletos.zip{query}"))
        .await
        .unwrap()
}

/// The name and the content of each file.
async fn files(answer: Response) -> Vec<(String, Vec<u8>)> {
    assert_eq!(answer.status(), StatusCode::OK);
    let bytes = Cursor::new(answer.bytes().await.unwrap());
    let mut archive = ZipArchive::new(bytes).unwrap();
    let count = archive.len();
    let read = |index| {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}

#[tokio::test]
async fn each_billed_row_has_its_slip_in_the_order_of_the_file() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    keep_agreement(&importer).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(1_500).bytes()).await;
    bill(&importer, import_id, &[1_400, 2, 17]).await;

    let answer = ask(&service, import_id, "").await;
    assert_eq!(answer.headers()["content-type"], "application/zip");
    assert_eq!(
        answer.headers()["content-disposition"],
        format!("attachment; filename=\"boletos-{import_id}.zip\"")
    );
    let slips = files(answer).await;
    let names: Vec<_> = slips.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "0000002-boleto-31285570000000002.pdf",
        "0000017-boleto-31285570000000017.pdf",
        "0001400-boleto-31285570000001400.pdf",
    ];
    assert_eq!(names, expected);
    let route = format!("{}/v1/boletos/debt-17.pdf", service.url());
    let alone = reqwest::get(route).await.unwrap().bytes().await.unwrap();
    assert_eq!(slips[1].1, alone);

    for (query, expected) in [
        ("?from=17", 2),
        ("?from=18&to=1399", 0),
        ("?from=3&to=1400", 2),
        ("?to=2", 1),
        ("?from=2000", 0),
        ("?from=3&to=2", 0),
    ] {
        let slips = files(ask(&service, import_id, query).await).await;
        assert_eq!(slips.len(), expected, "{query}");
    }
    for query in ["?from=0", "?to=0", "?from=-1", "?to=4294967296", "?rows=2"] {
        let answer = ask(&service, import_id, query).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn an_archive_never_lacks_a_slip_without_saying_so() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(3).bytes()).await;
    bill(&importer, import_id, &[1, 2]).await;
    let answer = ask(&service, import_id, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap_err();

    keep_agreement(&importer).await;
    assert_eq!(files(ask(&service, import_id, "").await).await.len(), 2);
}

#[tokio::test]
async fn a_long_import_has_an_archive_for_each_fifty_thousand_rows() {
    let importer = Importer::new().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let service = importer.start_with(&nowhere).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(50_001).bytes()).await;
    poll_until("the ledger to know it", LONG, async || {
        let answer = ask(&service, import_id, "?from=1&to=1").await;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    for query in ["", "?from=1", "?to=50001", "?from=1&to=50001"] {
        let answer = ask(&service, import_id, query).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "urn:problem:too-many-slips");
    }
    for query in ["?to=50000", "?from=2", "?from=2&to=60000"] {
        let answer = ask(&service, import_id, query).await;
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
    }
}
