//! What became of every row, through HTTP, with a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::fs;

use common::ledger::{
    Bill, Channel, Claim, DebtLedger, EndedRow, PutOffLedger, RowLedger, SendEnd, SharedLedger,
    Unbilled,
};
use contract::{InvalidReason, Notification, Reason, RowId, RowIdentity, read_record};
use importer::{Importer, LONG, upload};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Response};
use serde_json::Value;
use testkit::{CsvFile, CsvRow, RunningService, end_debts, poll_until, tell_debts};
use uuid::Uuid;

/// Bills a row of an import as billing-worker would.
async fn bill(ledger: &SharedLedger, id: RowId, debt_id: &str) -> Notification {
    let notification = testkit::billed(debt_id, id.row);
    let bill = Bill {
        debt_id: debt_id.to_owned(),
        claim: Claim::new(
            RowIdentity::Row(id),
            serde_json::to_string(&notification).unwrap(),
        ),
    };
    ledger.bill(&[bill]).await.unwrap();
    notification
}

async fn ask(service: &RunningService, import_id: Uuid, query: &str, accept: &str) -> Response {
    let url = format!("{}/v1/imports/{import_id}/results{query}", service.url());
    let request = Client::new().get(url).header("accept", accept);
    request.send().await.unwrap()
}

async fn lines(service: &RunningService, import_id: Uuid, query: &str) -> Vec<Value> {
    let answer = ask(service, import_id, query, "application/x-ndjson").await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn every_row_comes_in_the_order_of_the_file_with_what_became_of_it() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let file = CsvFile::new()
        .row(&CsvRow::valid("=debt"))
        .row(&CsvRow::valid("debt-2"))
        .line("@SUM(1),too,few")
        .row(&CsvRow::valid("debt-4"))
        .row(&CsvRow::valid("debt-2"))
        .row(&CsvRow::valid("debt-6"))
        .row(&CsvRow::valid("debt-7"))
        .bytes();
    let import_id = upload(&service, file).await;
    poll_until("the rows to be sent", LONG, async || {
        let queue = &importer.stack.resources().data_process_url;
        (importer.stack.depth(queue).await.visible == 6).then_some(())
    })
    .await;
    let row = |row| RowId { import_id, row };
    let debt = |id: &RowId| format!("debt-{}", id.row);
    let invalid = EndedRow {
        row: row(1),
        reason: Some(Reason::from(InvalidReason::DebtIdMalformed)),
    };
    ledger
        .end_rows(Unbilled::Invalid, &[invalid])
        .await
        .unwrap();
    let conflict = EndedRow {
        row: row(5),
        reason: Some(Reason {
            code: "conflict".into(),
            text: "the debt was billed with another amount".into(),
        }),
    };
    ledger
        .end_rows(Unbilled::Skipped, &[conflict])
        .await
        .unwrap();
    let notification = bill(&ledger, row(2), "debt-2").await;
    for id in [row(4), row(6)] {
        bill(&ledger, id, &debt(&id)).await;
    }
    let told = [row(2), row(4), row(6)];
    tell_debts(&ledger, &told, debt).await;
    let undeliverable = SendEnd::Undeliverable(Reason {
        code: "mailbox_unknown".into(),
        text: "the mail server does not know the mailbox".into(),
    });
    let ends = [(row(2), SendEnd::Sent), (row(4), undeliverable)];
    end_debts(&ledger, Channel::MAIL, &ends, debt).await;
    let until = Timestamp::now() + SignedDuration::from_mins(5);
    ledger
        .record_put_off(&[testkit::put_off(row(6), until)])
        .await
        .unwrap();

    let boleto = notification.boleto.unwrap();
    let pix = boleto.pix.unwrap_or_default();
    let answer = ask(&service, import_id, "", "*/*").await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        answer.headers()["content-disposition"],
        format!("attachment; filename=\"results-{import_id}.csv\"")
    );
    let text = answer.text().await.unwrap();
    let text: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(
        text[0],
        "\u{feff}row,debtId,outcome,code,reason,ourNumber,digitableLine,barcode,pix,notified,mail,mailReason"
    );
    assert!(text[1].starts_with("1,\"'=debt\",invalid,\"debt_id_malformed\",\""));
    assert!(text[1].ends_with("\",,,,,,,"));
    let pix = if pix.is_empty() {
        pix
    } else {
        format!("\"{pix}\"")
    };
    assert_eq!(
        text[2],
        format!(
            "2,\"debt-2\",billed,,,\"'{}\",\"{}\",\"'{}\",{pix},true,sent,",
            boleto.our_number,
            boleto.barcode.digitable_line(),
            boleto.barcode
        )
    );
    assert!(text[3].starts_with("3,,invalid,\"field_count\","));
    assert!(text[4].ends_with(",true,undeliverable,\"the mail server does not know the mailbox\""));
    assert!(text[4].starts_with("4,\"debt-4\",billed,\"mailbox_unknown\",,"));
    // The boleto of the debt is that of another row.
    assert_eq!(
        text[5],
        "5,\"debt-2\",skipped,conflict,\"the debt was billed with another amount\",,,,,,,"
    );
    assert!(
        text[6].ends_with(",true,waiting,\"452 4.2.2 at RCPT\""),
        "{}",
        text[6]
    );
    assert_eq!(text[7], "7,\"debt-7\",pending,,,,,,,,,");
    assert_eq!(text[8..], [""]);

    let rows = lines(&service, import_id, "").await;
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].clone()).collect();
    let expected = [
        "invalid", "billed", "invalid", "billed", "skipped", "billed", "pending",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(rows[1]["ourNumber"], boleto.our_number);
    assert_eq!(rows[1]["notified"], true);
    assert_eq!(rows[0]["debtId"], "=debt");
    assert!(rows[6]["mail"].is_null());

    let billed = lines(&service, import_id, "?outcome=billed").await;
    assert_eq!(billed.len(), 3);
    assert!(
        lines(&service, import_id, "?outcome=not_sent")
            .await
            .is_empty()
    );
    let answer = ask(&service, import_id, "?separator=semicolon", "*/*").await;
    let text = answer.text().await.unwrap();
    let text: Vec<&str> = text.lines().collect();
    assert!(text[0].contains("row;debtId;outcome;code;reason;ourNumber;"));
    assert!(text[2].starts_with("2;\"debt-2\";billed;;;"));
    for bad in ["?outcome=paid", "?separator=x", "?other=1"] {
        let answer = ask(&service, import_id, bad, "*/*").await;
        assert_eq!(answer.status(), 400, "{bad}");
    }

    let (status, reasons) = service
        .answer(&format!("/v1/imports/{import_id}/reasons"))
        .await;
    assert_eq!(status, 200);
    let reasons: Value = serde_json::from_str(&reasons).unwrap();
    let reasons = reasons["reasons"].as_array().unwrap().iter().map(|reason| {
        let text = |name: &str| reason[name].as_str().unwrap().to_owned();
        let number = |name: &str| reason[name].as_u64().unwrap();
        (
            text("outcome"),
            text("code"),
            number("first_row"),
            number("rows"),
        )
    });
    let expected = [
        ("invalid", "debt_id_malformed", 1),
        ("invalid", "field_count", 3),
        ("undeliverable", "mailbox_unknown", 4),
        ("skipped", "conflict", 5),
        ("put_off", "mailbox_full", 6),
    ];
    let expected = expected.map(|(of, code, row)| (of.to_owned(), code.to_owned(), row, 1));
    assert!(reasons.eq(expected));

    let file = importer.spool.path().join(format!("{import_id}.csv"));
    fs::remove_file(file).unwrap();
    let answer = ask(&service, import_id, "", "*/*").await;
    assert_eq!(answer.status(), 409);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "urn:problem:file-not-here");
    let answer = ask(&service, Uuid::now_v7(), "", "*/*").await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn the_rows_of_a_cancelled_import_are_not_sent_and_no_row_is_left_out() {
    const ROWS: usize = 5_000;
    let importer = Importer::new().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let service = importer.start_with(&nowhere).await;
    let import_id = upload(&service, CsvFile::new().valid_rows(ROWS).bytes()).await;
    let route = format!("{}/v1/imports/{import_id}", service.url());
    poll_until("the import to be cancelled", LONG, async || {
        let cancel = Client::new().post(format!("{route}/cancel")).send().await;
        (cancel.unwrap().status() == 200).then_some(())
    })
    .await;
    let rows = lines(&service, import_id, "").await;
    let numbers = rows.iter().map(|row| row["row"].as_u64().unwrap());
    assert!(numbers.eq(1..=ROWS as u64));
    assert!(rows.iter().all(|row| row["outcome"] == "not_sent"));
}

#[tokio::test]
async fn a_few_clients_download_at_a_time() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(60_000).bytes()).await;
    let mut reading = Vec::new();
    let refused = loop {
        let answer = ask(&service, import_id, "", "*/*").await;
        if answer.status() != 200 {
            break answer;
        }
        reading.push(answer);
    };
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(reading.len(), 8);
    drop(reading);
    poll_until("another download", LONG, async || {
        let answer = ask(&service, import_id, "", "*/*").await;
        (answer.status() == 200).then_some(())
    })
    .await;
}

async fn rejections(service: &RunningService, import_id: Uuid) -> String {
    let url = format!("{}/v1/imports/{import_id}/rejections", service.url());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// The bodies of so many messages.
async fn sent(importer: &Importer, count: u64) -> Vec<String> {
    let queue = &importer.stack.resources().data_process_url;
    poll_until("the messages", LONG, async || {
        (importer.stack.depth(queue).await.visible == count).then_some(())
    })
    .await;
    let messages = importer.stack.take_all(queue).await;
    messages.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn rejections_are_corrected_and_uploaded_as_they_are() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let ledger = importer.stack.ledger().await;
    let text = "\u{feff}sep=;\r\n\r\ndebtId;obs;email;name;debtAmount;governmentId;debtDueDate\r\n\
        1;\"a;b\";a@b.co;\"=Ana \"\"Z\"\"\r\nSouza\";10,50;00123;2027-03-15\r\n\
        2;;a@b.co;Bia;10,50;123;2027-03-15\r\n\
        3;too few\r\n\
        4;x;\"open;Caio;1;1;2027-03-15\r\n\
        5;x;a@b.co;Davi;1;1;2027-03-15;more\r\n";
    let import_id = upload(&service, text).await;
    sent(&importer, 2).await;
    let reason = Reason::from(InvalidReason::EmailInvalid);
    let rows = [1].map(|row| EndedRow {
        row: RowId { import_id, row },
        reason: Some(reason.clone()),
    });
    ledger.end_rows(Unbilled::Invalid, &rows).await.unwrap();
    let rejected = poll_until("the rejections", LONG, async || {
        let rejected = rejections(&service, import_id).await;
        (rejected.lines().count() == 5).then_some(rejected)
    })
    .await;
    let lines: Vec<&str> = rejected.split_terminator("\r\n").collect();
    assert_eq!(
        lines[0],
        "\u{feff}debtId;obs;email;name;debtAmount;governmentId;debtDueDate;line;row;code;reason"
    );
    assert!(lines[1].starts_with(
        "1;\"a;b\";\"a@b.co\";\"'=Ana \"\"Z\"\" Souza\";\"'10,50\";\"'00123\";\"2027-03-15\";4;1;\"email_invalid\";"
    ));
    assert!(lines[2].starts_with("3;\"too few\";;;;;;7;3;\"field_count\";"));
    assert!(lines[3].starts_with("\"4;x;\"\"open;Caio;1;1;2027-03-15\";;;;;;;8;4;quotes;"));
    assert!(
        lines[4].starts_with("5;x;\"a@b.co\";Davi;1;1;\"2027-03-15\";more;9;5;\"field_count\";")
    );

    // One row is corrected; the others are no better for their empty cells.
    let corrected = rejected.replacen("a@b.co", "ana@b.co", 1);
    let again = upload(&service, corrected).await;
    let bodies = sent(&importer, 3).await;
    let records: Vec<_> = bodies.iter().map(|body| read_record(body)).collect();
    let record = records[0].as_ref().unwrap();
    assert_eq!(record.name, "=Ana \"Z\" Souza");
    assert_eq!((&*record.debt_id, record.amount.centavos()), ("1", 1_050));
    assert_eq!(record.government_id, "00123");
    assert!(records[1].is_err() && records[2].is_err());

    // The reasons of the first time give way to new ones.
    let rejected = poll_until("the rejections", LONG, async || {
        let rejected = rejections(&service, again).await;
        (rejected.lines().count() == 2).then_some(rejected)
    })
    .await;
    let again: Vec<&str> = rejected.split_terminator("\r\n").collect();
    assert_eq!(again[0], lines[0]);
    assert!(
        again[1].starts_with("5;x;\"a@b.co\";Davi;1;1;\"2027-03-15\";more;5;4;\"field_count\";")
    );
}
