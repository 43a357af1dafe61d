//! What a server must show of itself.

use std::time::Duration;

use common::ledger::{AnyLedger, PostgresLedger};
use common::runtime::ServiceError;
use testkit::{Certificates, PostgresServer, poll_until};

use crate::server::{ledger, server, settings};

const LONG: Duration = Duration::from_secs(20);

/// A server with such a certificate, once it has it.
async fn server_with(certificates: &Certificates) -> PostgresServer {
    let server = server().await;
    let [certificate, key] = certificates.server();
    server.use_tls(&certificate, &key).unwrap();
    let url = format!("{}?sslmode=require", server.url());
    poll_until("the server to use TLS", LONG, async || {
        let ledger = PostgresLedger::connect(&settings(&url, &[]), None).await;
        ledger.ok()
    })
    .await;
    server
}

async fn refusal(url: &str) -> String {
    let error = PostgresLedger::connect(&settings(url, &[]), None).await;
    let error = error.unwrap_err();
    let line = error.to_string();
    assert!(matches!(error, ServiceError::Unsuitable(_)), "{line}");
    assert!(line.contains("sslmode and sslrootcert"), "{line}");
    line
}

#[tokio::test]
async fn a_server_proves_who_it_is_as_far_as_it_is_asked_to() {
    let certificates = Certificates::make().unwrap();
    let server = server_with(&certificates).await;
    let trusted = certificates.authority().display().to_string();
    let url = server.url();
    // Its certificate names another host.
    let elsewhere = url.replace("127.0.0.1", "db.example");
    for (url, mode) in [
        (format!("{url}?"), "verify-full"),
        (format!("{url}?"), "verify-ca"),
        (format!("{elsewhere}?hostaddr=127.0.0.1&"), "verify-ca"),
    ] {
        let url = format!("{url}sslmode={mode}&sslrootcert={trusted}");
        ledger(&url, &[]).await.ping().await.unwrap();
    }
    let full = format!("{elsewhere}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={trusted}");
    let line = refusal(&full).await;
    assert!(line.contains("not valid for name"), "{line}");

    let stranger = Certificates::make().unwrap();
    let trusted = stranger.authority().display().to_string();
    for mode in ["verify-full", "verify-ca", "require"] {
        refusal(&format!("{url}?sslmode={mode}&sslrootcert={trusted}")).await;
    }
    let line = refusal(&format!("{url}?sslmode=verify-ca&sslrootcert=/nowhere.pem")).await;
    assert!(line.contains("/nowhere.pem"), "{line}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told() {
    let certificates = Certificates::make_expired().unwrap();
    let server = server_with(&certificates).await;
    let trusted = certificates.authority().display().to_string();
    for mode in ["verify-full", "verify-ca"] {
        let url = format!("{}?sslmode={mode}&sslrootcert={trusted}", server.url());
        let line = refusal(&url).await;
        assert!(line.contains("expired"), "{line}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_where_tls_is_asked_for() {
    let server = server().await;
    let url = format!("{}?sslmode=require", server.url());
    let error = PostgresLedger::connect(&settings(&url, &[]), None).await;
    let line = error.unwrap_err().to_string();
    assert!(line.contains("TLS"), "{line}");
}
