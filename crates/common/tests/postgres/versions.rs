//! What an earlier version has left.

use std::time::Duration;

use common::ledger::{CarrierLedger, ImportLedger, NewImport};
use testkit::{new_import, record_sent};
use uuid::Uuid;

use crate::server::{connection, ledger, server};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_import_of_the_first_version_is_carried_once_it_is_registered_again() {
    let server = server().await;
    let older = include_str!("../../src/ledger/postgres/migrations/1.sql");
    let admin = connection(&server).await;
    admin.batch_execute(older).await.unwrap();
    admin
        .batch_execute(
            "CREATE TABLE schema_versions (
                 version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now());
             INSERT INTO schema_versions (version) VALUES (1);
             INSERT INTO imports (import_id, size, sha256, rows, accepted_at, progressed_at, sent)
             SELECT ('00000000-0000-0000-0000-00000000000' || number)::uuid, 1000, 'x', 10, now(), now(), 4
             FROM generate_series(1, 2) AS number;
             UPDATE imports SET sent_at = now()
             WHERE import_id = '00000000-0000-0000-0000-000000000002'",
        )
        .await
        .unwrap();
    let ledger = ledger(&server.url(), &[]).await;
    let [unsent, sent] = [1, 2].map(Uuid::from_u128);
    let spool = new_import(unsent, 10).spool;
    let take = async || {
        ledger
            .take_import(&spool, Uuid::new_v4(), HOUR)
            .await
            .unwrap()
    };
    // Its importer was stopped when the first of the new version started.
    assert!(!record_sent(&ledger, unsent, 5, None).await);
    assert_eq!(take().await, None);
    for (import_id, is_unsent) in [(unsent, true), (sent, false)] {
        let found = NewImport {
            client: "a".to_owned(),
            ..new_import(import_id, 10)
        };
        let answer = ledger.register_import(&found).await.unwrap();
        assert_eq!(answer, is_unsent);
        let status = ledger.import_status(import_id).await.unwrap().unwrap();
        assert_eq!(
            (status.import.spool, status.import.client),
            (found.spool, found.client)
        );
        assert_eq!(status.import.size, 1_000);
    }
    let taken = take().await.unwrap();
    assert_eq!(taken.lease.import_id, unsent);
    assert_eq!((taken.lease.epoch, taken.from.rows), (1, 5));
    assert_eq!(take().await, None);
}

#[tokio::test]
async fn a_name_of_a_spool_or_a_client_may_hold_any_character() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    let import = NewImport {
        spool: "a\0b".to_owned(),
        client: "c\0d".to_owned(),
        ..new_import(Uuid::from_u128(1), 10)
    };
    ledger.register_import(&import).await.unwrap();
    let other = ledger
        .take_import("ab", Uuid::new_v4(), HOUR)
        .await
        .unwrap();
    assert_eq!(other, None);
    let taken = ledger
        .take_import(&import.spool, Uuid::new_v4(), HOUR)
        .await;
    assert_eq!(taken.unwrap().unwrap().lease.import_id, import.import_id);
}

/// As by one whose answer is lost.
#[tokio::test]
async fn an_import_is_taken_again_by_the_attempt_that_has_it() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    let import = new_import(Uuid::from_u128(1), 10);
    ledger.register_import(&import).await.unwrap();
    let take = async |attempt| {
        let taken = ledger.take_import(&import.spool, attempt, HOUR).await;
        taken.unwrap().map(|taken| taken.lease)
    };
    let (attempt, other) = (Uuid::new_v4(), Uuid::new_v4());
    let unseen = take(attempt).await.unwrap();
    assert_eq!(take(other).await, None);
    let lease = take(attempt).await.unwrap();
    assert_eq!((unseen.epoch, lease.epoch), (1, 2));
    assert_eq!(take(other).await, None);
}
