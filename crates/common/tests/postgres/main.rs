//! The ledger on a real PostgreSQL: the laws of every ledger, and what is
//! PostgreSQL's own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod faults;
mod pooler;
mod server;
mod tls;
mod versions;

use std::sync::Arc;

use common::ledger::{PostgresLedger, SharedLedger};
use testkit::{PostgresServer, ledger_conformance};
use uuid::Uuid;

use server::{connection, server, settings};

/// A ledger in a schema of its own, where nothing is.
async fn empty(server: &PostgresServer) -> SharedLedger {
    let name = format!("s{}", Uuid::now_v7().simple());
    let create = format!("CREATE SCHEMA {name}");
    connection(server)
        .await
        .batch_execute(&create)
        .await
        .unwrap();
    let url = format!("{}?options=-c%20search_path%3D{name}", server.url());
    let ledger = PostgresLedger::connect(&settings(&url, &[]), None).await;
    Arc::new(ledger.unwrap_or_else(|error| panic!("{error}")))
}

ledger_conformance!(in_one_test: server, empty);
