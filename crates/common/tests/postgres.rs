//! The ledger on a real PostgreSQL: the laws of every ledger, and what is
//! PostgreSQL's own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use common::ledger::{PostgresLedger, PostgresSettings, SharedLedger};
use common::runtime::{Environment, HeldSecret, Secret};
use std::sync::Arc;
use testkit::{Fsync, PostgresServer, ledger_conformance};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

async fn server() -> PostgresServer {
    let server = PostgresServer::start(None, None, Fsync::Off).await;
    server.unwrap_or_else(|error| panic!("{error}"))
}

/// A connection of the owner of all.
async fn connection(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn settings(url: &str) -> PostgresSettings {
    let url = HeldSecret {
        name: "LEDGER_URL",
        secret: Secret::new(url),
    };
    PostgresSettings::at(&url, &Environment::default()).unwrap()
}

/// The URL of a new schema, where the ledger finds nothing.
async fn schema(server: &PostgresServer) -> String {
    let name = format!("s{}", Uuid::now_v7().simple());
    let create = format!("CREATE SCHEMA {name}");
    connection(server)
        .await
        .batch_execute(&create)
        .await
        .unwrap();
    format!("{}?options=-c%20search_path%3D{name}", server.url())
}

async fn empty(server: &PostgresServer) -> SharedLedger {
    let url = schema(server).await;
    let ledger = PostgresLedger::connect(&settings(&url), None).await;
    let ledger = ledger.unwrap_or_else(|error| panic!("{error}"));
    Arc::new(ledger)
}

ledger_conformance!(in_one_test: server, empty);
