//! The ledger while Redis moves: failovers, hosts that fall silent, servers that take no writes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use common::ledger::RedisSettings;
use common::ledger::{
    AnyLedger, Bill, Channel, ChannelLedger, Claim, DebtLedger, EndedRow, ImportLedger,
    LedgerError, LedgerSlot, RedisLedger, RowLedger, SendClaim, Unbilled,
};
use common::runtime::Transient;
use common::runtime::{Environment, ServiceError};
use common::service::Readiness;
use contract::{Reason, RowId, RowIdentity};
use testkit::{FaultProxy, RedisServer, new_import, poll_until};
use uuid::Uuid;

/// Longest wait for the ledger to go on.
const LONG: Duration = Duration::from_secs(15);

async fn server() -> RedisServer {
    RedisServer::start(None, None).await.unwrap()
}

fn address(server: &RedisServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

/// A master, its replica with all of its data, and a proxy before the master.
async fn pair() -> (RedisServer, RedisServer, FaultProxy) {
    let (master, replica) = tokio::join!(server(), server());
    replica.follow(&master).await.unwrap();
    let proxy = FaultProxy::start(address(&master)).await.unwrap();
    (master, replica, proxy)
}

fn settings(port: u16, more: &[(&str, &str)]) -> RedisSettings {
    let port = port.to_string();
    let variables = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &port),
        ("REDIS_CONNECTION_RETRY_INTERVAL", "0.01"),
    ];
    let environment: Environment = variables
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    RedisSettings::read(&environment).unwrap()
}

async fn ledger(proxy: &FaultProxy, more: &[(&str, &str)]) -> RedisLedger {
    let settings = settings(proxy.address().port(), more);
    RedisLedger::connect(&settings, None).await.unwrap()
}

async fn claims(ledger: &RedisLedger, debt_id: &str) -> Result<Option<Claim>, LedgerError> {
    let own = Claim::new(RowIdentity::Message(debt_id.into()), "{}".into());
    let bill = Bill {
        debt_id: debt_id.to_owned(),
        claim: own,
    };
    let standing = ledger.bill(&[bill]).await?;
    Ok(standing.into_iter().next().and_then(|billed| billed.claim))
}

/// Claims until that is answered; each refusal must be one that passes.
async fn claims_in_the_end(ledger: &RedisLedger, debt_id: &str) {
    let standing = poll_until(
        "the ledger to take writes again",
        LONG,
        async || match claims(ledger, debt_id).await {
            Ok(standing) => Some(standing),
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                None
            }
        },
    );
    assert!(standing.await.is_some());
}

#[tokio::test]
async fn after_a_failover_the_new_master_is_written_to() {
    let (old, new, proxy) = pair().await;
    let ledger = ledger(&proxy, &[]).await;
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, 2))
        .await
        .unwrap();
    let row = |row| EndedRow {
        row: RowId { import_id, row },
        reason: Some(Reason {
            code: Cow::Borrowed("code"),
            text: Cow::Borrowed("text"),
        }),
    };
    ledger.end_rows(Unbilled::Invalid, &[row(1)]).await.unwrap();
    claims(&ledger, "before").await.unwrap();

    old.fail_over_to(&new).await.unwrap();
    for refused in [
        claims(&ledger, "after").await.map(drop),
        ledger.ping().await,
    ] {
        assert!(refused.unwrap_err().is_transient());
    }
    proxy.redirect(address(&new));
    claims_in_the_end(&ledger, "after").await;

    // The new master knows the data, and none of the scripts.
    let fresh = ledger.end_rows(Unbilled::Invalid, &[row(1), row(2)]).await;
    assert_eq!(fresh.unwrap(), [false, true]);
    let mails = ledger
        .claim_sends(Channel::MAIL, &["before"], Uuid::now_v7(), LONG)
        .await;
    assert_eq!(mails.unwrap(), [SendClaim::Granted]);
    ledger.ping().await.unwrap();
    let notified = ledger.debts(&["before", "after"]).await.unwrap();
    assert_eq!(notified.len(), 2);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_now_is_left_for_another() {
    let dead_master = "REPLICAOF 127.0.0.1 1";
    for refuses in [
        // READONLY
        dead_master.to_owned(),
        // MASTERDOWN
        format!("CONFIG SET replica-serve-stale-data no\r\n{dead_master}"),
        // NOREPLICAS: what a master says that was cut off from its replicas
        "CONFIG SET min-replicas-to-write 1".to_owned(),
        // OOM
        "CONFIG SET maxmemory 1".to_owned(),
    ] {
        let (old, new) = tokio::join!(server(), server());
        let proxy = FaultProxy::start(address(&old)).await.unwrap();
        let ledger = ledger(&proxy, &[]).await;
        claims(&ledger, "before").await.unwrap();

        old.tell(&refuses).await;
        let refused = claims(&ledger, "after").await.unwrap_err();
        assert!(refused.is_transient(), "{refuses}: {refused}");
        assert!(ledger.ping().await.is_err(), "{refuses}");
        proxy.redirect(address(&new));

        claims_in_the_end(&ledger, "after").await;
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_replaced() {
    let server = server().await;
    let proxy = FaultProxy::start(address(&server)).await.unwrap();
    let ledger = ledger(&proxy, &[("REDIS_OPERATION_TIMEOUT", "0.5")]).await;
    claims(&ledger, "before").await.unwrap();

    proxy.silence_open();
    let silent = Instant::now();
    let error = claims(&ledger, "after").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    claims(&ledger, "after").await.unwrap().unwrap();
    assert!(silent.elapsed() < LONG);
}

#[tokio::test]
async fn readiness_finds_a_silent_connection_though_it_does_not_wait_so_long() {
    let server = server().await;
    let proxy = FaultProxy::start(address(&server)).await.unwrap();
    let ledger = ledger(&proxy, &[("REDIS_OPERATION_TIMEOUT", "3")]).await;
    let slot = LedgerSlot::default();
    slot.put(&ledger);
    let readiness = Readiness::of([("Redis", slot.ready_probe())]);
    let away = async || readiness.away().await;
    assert!(away().await.is_empty());

    proxy.silence_open();
    poll_until("Redis to be missed", LONG, async || {
        (!away().await.is_empty()).then_some(())
    })
    .await;
    poll_until("Redis to be found again", LONG, async || {
        away().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_is_refused_at_start() {
    let (_master, replica, _proxy) = pair().await;
    let settings = settings(replica.port(), &[("REDIS_CONNECTION_MAX_RETRIES", "2")]);
    let error = RedisLedger::connect(&settings, None).await.unwrap_err();
    assert!(matches!(error, ServiceError::Ledger(_)), "{error:?}");
    let line = error.to_string();
    assert!(
        line.contains("replica") && line.contains("REDIS_HOST"),
        "{line}"
    );
    assert!(!line.contains('\n'), "{line}");
}

#[tokio::test]
async fn a_replica_that_is_promoted_within_the_tries_at_start_is_taken() {
    let (_master, replica, _proxy) = pair().await;
    let settings = settings(replica.port(), &[("REDIS_CONNECTION_MAX_RETRIES", "10000")]);
    let (ledger, promoted) = tokio::join!(RedisLedger::connect(&settings, None), replica.promote());
    promoted.unwrap();
    claims(&ledger.unwrap(), "debt").await.unwrap().unwrap();
}
