//! What a debt was billed with, through HTTP.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use boleto::{Agreement, DigitableLine};
use common::ledger::{AgreementLedger, Bill, Claim, DebtLedger};
use contract::{RowId, RowIdentity};
use importer::{Importer, LONG};
use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use testkit::{RunningService, poll_until, tell};
use uuid::Uuid;

/// Bills debts as billing-worker would.
async fn bill(importer: &Importer, debt_ids: &[&str]) {
    let ledger = importer.stack.ledger().await;
    let agreement = Agreement::demonstration();
    ledger.keep_agreement(&agreement).await.unwrap();
    let claim = |(sequence, debt_id): (u64, &&str)| {
        let holder = RowIdentity::Row(RowId {
            import_id: Uuid::from_u128(7),
            row: sequence,
        });
        let notification = testkit::billed(debt_id, sequence);
        let notification = serde_json::to_string(&notification).unwrap();
        let claim = Claim::new(holder, notification);
        let debt_id = (*debt_id).to_owned();
        Bill { debt_id, claim }
    };
    let bills: Vec<_> = (1..).zip(debt_ids).map(claim).collect();
    ledger.bill(&bills).await.unwrap();
    tell(&ledger, &debt_ids[..1]).await;
}

/// The answer, once the service has its ledger.
async fn ask(service: &RunningService, debt: &str) -> Response {
    let url = format!("{}/v1/boletos/{debt}", service.url());
    poll_until("an answer", LONG, async || {
        let answer = reqwest::get(&url).await.unwrap();
        (answer.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_debt_shows_what_it_was_billed_with() {
    let importer = Importer::new().await;
    bill(&importer, &["debt-1", "a/b ç.pdf"]).await;
    let service = importer.start().await;

    let boleto: Value = ask(&service, "debt-1").await.json().await.unwrap();
    assert_eq!(boleto["our_number"], "31285570000000001");
    assert_eq!(boleto["row"], 1);
    assert_eq!(boleto["notified"], true);
    assert_eq!(boleto["amount"].to_string(), "7811.0");
    assert_eq!(boleto["payer"]["document_type"], "cpf");
    assert_eq!(boleto["beneficiary"]["account"], "0452-9/123873-6");
    assert_eq!(boleto["registered"], false);
    let line: DigitableLine = boleto["digitable_line"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        line.barcode().to_string(),
        boleto["barcode"].as_str().unwrap()
    );

    // An id that has to be encoded, and ends as a slip's address does.
    let boleto: Value = ask(&service, "a%2Fb%20%C3%A7.pdf")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(boleto["debt_id"], "a/b ç.pdf");
    assert_eq!(boleto["notified"], false);
    let pdf = boleto["pdf"].as_str().unwrap();
    assert_eq!(pdf, "/v1/boletos/a%2Fb%20%C3%A7.pdf.pdf");
    let slip = reqwest::get(format!("{}{pdf}", service.url()))
        .await
        .unwrap();
    assert_eq!(slip.headers()[header::CONTENT_TYPE], "application/pdf");
}

#[tokio::test]
async fn a_slip_is_the_same_bytes_every_time() {
    let importer = Importer::new().await;
    bill(&importer, &["debt-1"]).await;
    let service = importer.start().await;
    let first = ask(&service, "debt-1.pdf").await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()[header::CONTENT_TYPE], "application/pdf");
    assert_eq!(
        first.headers()[header::CONTENT_DISPOSITION],
        "inline; filename=\"boleto-31285570000000001.pdf\""
    );
    let first = first.bytes().await.unwrap();
    assert!(first.starts_with(b"%PDF-"));
    // Whatever the issuer's file says by then: the boleto keeps its agreement.
    let ledger = importer.stack.ledger().await;
    let moved = Agreement::demonstration()
        .to_json()
        .replace("São Paulo", "Santos");
    ledger
        .keep_agreement(&Agreement::from_json(&moved).unwrap())
        .await
        .unwrap();
    assert_eq!(
        ask(&service, "debt-1.pdf").await.bytes().await.unwrap(),
        first
    );
}

#[tokio::test]
async fn a_debt_that_is_not_known_has_none() {
    let importer = Importer::new().await;
    bill(&importer, &["debt-1"]).await;
    let ledger = importer.stack.ledger().await;
    // A claim from before there were boletos; and one that names an agreement that is lost.
    let bare = r#"{"name":"n","government_id":"1","email":"a@b.co","debt_amount":1.50,"debt_due_date":"2024-01-19","debt_id":"bare"}"#;
    let lost = serde_json::to_string(&testkit::billed("lost", 9)).unwrap();
    let issuer = Agreement::demonstration().id().to_string();
    let lost = lost.replace(&issuer, "00000000000000ff");
    let claims = [("bare", bare.to_owned()), ("lost", lost)].map(|(debt_id, notification)| {
        let holder = RowIdentity::Message("m".into());
        Bill {
            debt_id: debt_id.to_owned(),
            claim: Claim::new(holder, notification),
        }
    });
    ledger.bill(&claims).await.unwrap();
    let service = importer.start().await;
    for debt in [
        "debt-2",
        "debt-2.pdf",
        ".pdf",
        "DEBT-1",
        "bare",
        "bare.pdf",
        "lost",
        "lost.pdf",
    ] {
        let answer = ask(&service, debt).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{debt}");
        assert_eq!(
            answer.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "urn:problem:no-such-boleto", "{debt}");
    }
}

#[tokio::test]
async fn nobody_without_a_token_sees_a_boleto() {
    let importer = Importer::new().await;
    bill(&importer, &["debt-1"]).await;
    let token = "a-token-that-is-long-enough-for-the-service";
    let service = importer.start_with(&[("API_TOKENS", token)]).await;
    for debt in ["debt-1", "debt-1.pdf", "debt-2"] {
        assert_eq!(ask(&service, debt).await.status(), StatusCode::UNAUTHORIZED);
    }
}
