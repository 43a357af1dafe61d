//! A private PostgreSQL for a test, and ways to it.

use common::ledger::{PostgresLedger, PostgresSettings};
use common::runtime::{Environment, HeldSecret, Secret};
use testkit::{Fsync, PostgresServer};
use tokio_postgres::{Client, NoTls};

/// A server of its own.
pub(crate) async fn server() -> PostgresServer {
    let server = PostgresServer::start(None, None, Fsync::Off).await;
    server.unwrap_or_else(|error| panic!("{error}"))
}

/// A connection of the owner of all.
pub(crate) async fn connection(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The settings of a ledger there, with further variables.
pub(crate) fn settings(url: &str, further: &[(&str, &str)]) -> PostgresSettings {
    let url = HeldSecret {
        name: "LEDGER_URL",
        secret: Secret::new(url),
    };
    let variables = [
        ("LEDGER_CONNECTION_MAX_RETRIES", "1"),
        ("LEDGER_CONNECTION_RETRY_INTERVAL", "0.05"),
    ];
    let variables = variables.iter().chain(further);
    let env: Environment = variables
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    PostgresSettings::at(&url, &env).unwrap()
}

/// A ledger there.
pub(crate) async fn ledger(url: &str, further: &[(&str, &str)]) -> PostgresLedger {
    let ledger = PostgresLedger::connect(&settings(url, further), None).await;
    ledger.unwrap_or_else(|error| panic!("{error}"))
}
