//! What a PostgreSQL that fails, refuses or is busy does to the ledger.

use std::fs;
use std::time::Duration;

use common::ledger::{
    AnyLedger, Bill, Billed, Claim, DebtLedger, DebtState, EndedRow, ImportLedger, LedgerError,
    PostgresLedger, RowFacts, RowLedger, Told, Unbilled,
};
use common::runtime::{ServiceError, Transient};
use contract::{RowId, RowIdentity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::{Fsync, PostgresServer, new_import, poll_until};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::server::{connection, ledger, server, settings};

const LONG: Duration = Duration::from_secs(20);

fn bill(debt_id: &str) -> Bill {
    Bill {
        debt_id: debt_id.to_owned(),
        claim: Claim::new(RowIdentity::Message(debt_id.to_owned()), "{}".to_owned()),
    }
}

fn bills(numbers: impl IntoIterator<Item = u32>) -> Vec<Bill> {
    numbers.into_iter().map(|n| bill(&n.to_string())).collect()
}

async fn is_billed(ledger: &PostgresLedger, debt_id: &str) -> bool {
    let states = ledger.debts(&[debt_id]).await.unwrap();
    matches!(states[0], DebtState::Billed { .. })
}

/// Asks again for as long as the answer is an outage.
async fn ride_out<T>(call: impl AsyncFn() -> Result<T, LedgerError>) -> T {
    poll_until("the ledger to be back", LONG, async || match call().await {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            None
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_is_ended_is_an_outage_of_a_moment() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    let admin = connection(&server).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'billing-suite'";
    for round in 0..3 {
        ride_out(async || ledger.bill(&bills(0..50)).await).await;
        admin.execute(end, &[]).await.unwrap();
        let debt = format!("after {round}");
        ride_out(async || ledger.bill(&[bill(&debt)]).await).await;
        assert!(is_billed(&ledger, &debt).await);
    }
}

#[tokio::test]
async fn a_connection_that_is_ended_in_the_middle_of_a_call_leaves_all_of_it_or_nothing() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    let admin = connection(&server).await;
    // Debt 5 is being billed by somebody else, so the call waits there.
    admin
        .batch_execute("BEGIN; INSERT INTO records (debt_id) VALUES ('5')")
        .await
        .unwrap();
    let call = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.bill(&bills(0..9)).await }
    });
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'billing-suite' AND wait_event_type = 'Lock'";
    poll_until("the call to be ended while it waits", LONG, async || {
        (!admin.query(waiting, &[]).await.unwrap().is_empty()).then_some(())
    })
    .await;
    let error = call.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error}");
    admin.batch_execute("ROLLBACK").await.unwrap();
    assert!(!is_billed(&ledger, "0").await);
    ride_out(async || ledger.bill(&bills(0..9)).await).await;
    assert!(is_billed(&ledger, "8").await);
}

#[tokio::test]
async fn what_was_answered_survives_restarts_and_kills_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let start = async |port| {
        PostgresServer::start(port, Some(directory.path()), Fsync::On)
            .await
            .unwrap()
    };
    let mut server = start(None).await;
    let port = Some(server.port());
    let ledger = ledger(&server.url(), &[]).await;
    for round in 0..4_u32 {
        let first = round * 400;
        let billing = async {
            for batch in 0..40 {
                let batch = bills((first + batch * 10)..(first + batch * 10 + 10));
                ride_out(async || ledger.bill(&batch).await).await;
            }
        };
        let restarting = async {
            poll_until("the first bills", LONG, async || {
                let billed = ledger.debts(&[&(first + 50).to_string()]).await.unwrap();
                (billed != [DebtState::Unbilled]).then_some(())
            })
            .await;
            if round % 2 == 0 {
                server.stop().await;
            } else {
                let postmaster = Pid::from_raw(i32::try_from(server.pid()).unwrap());
                kill(postmaster, Signal::SIGKILL).unwrap();
                drop(server);
            }
            start(port).await
        };
        ((), server) = tokio::join!(billing, restarting);
        let all: Vec<String> = (0..first + 400).map(|number| number.to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let states = ride_out(async || ledger.debts(&all).await).await;
        let lost = states.iter().filter(|state| **state == DebtState::Unbilled);
        assert_eq!(lost.count(), 0, "round {round}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_an_outage_and_refused_at_start() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    ledger.ping().await.unwrap();
    let admin = connection(&server).await;
    let read_only = async |value: &str| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        admin
            .batch_execute("SET transaction_read_only = off")
            .await
            .unwrap();
        admin
            .batch_execute("SET default_transaction_read_only = off")
            .await
            .unwrap();
        admin.batch_execute(&set).await.unwrap();
        admin
            .batch_execute("SELECT pg_reload_conf()")
            .await
            .unwrap();
    };
    read_only("on").await;
    let error = poll_until("the ledger to find out", LONG, async || {
        ledger.ping().await.err()
    })
    .await;
    assert!(error.is_transient(), "{error}");
    let error = PostgresLedger::connect(&settings(&server.url(), &[]), None).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ServiceError::Ledger(_)), "{error}");
    assert!(
        error.to_string().contains("does not allow writes"),
        "{error}"
    );
    read_only("off").await;
    ride_out(async || ledger.ping().await).await;
}

#[tokio::test]
async fn a_replica_is_refused_until_it_is_promoted() {
    let directory = tempfile::tempdir().unwrap();
    let start = async || {
        PostgresServer::start(None, Some(directory.path()), Fsync::Off)
            .await
            .unwrap()
    };
    let server = start().await;
    ledger(&server.url(), &[]).await.ping().await.unwrap();
    server.stop().await;
    fs::write(directory.path().join("data/standby.signal"), "").unwrap();
    let server = start().await;
    let connect = async || PostgresLedger::connect(&settings(&server.url(), &[]), None).await;
    let error = connect().await.unwrap_err();
    assert!(matches!(error, ServiceError::Ledger(_)), "{error}");
    let admin = connection(&server).await;
    admin.batch_execute("SELECT pg_promote()").await.unwrap();
    let ledger = poll_until("the new primary", LONG, async || connect().await.ok()).await;
    ledger.ping().await.unwrap();
}

#[tokio::test]
async fn a_deadlock_is_seen_by_nobody() {
    let server = server().await;
    let admin = connection(&server).await;
    // A session looks once, so long after it began to wait: the call is to be the
    // one that finds the deadlock, however slow the machine is.
    let waits = "ALTER ROLE postgres SET deadlock_timeout = '3s'; SET deadlock_timeout = '1min'";
    admin.batch_execute(waits).await.unwrap();
    let ledger = ledger(&server.url(), &[]).await;
    let insert =
        "INSERT INTO records (debt_id, notification, holder) VALUES ($1, '{}', 'message:x')";
    admin.batch_execute("BEGIN").await.unwrap();
    admin.execute(insert, &[&&b"2"[..]]).await.unwrap();
    let call = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.bill(&bills(1..=2)).await }
    });
    // A connection of its own, as the other waits in the end.
    let watch = connection(&server).await;
    poll_until("the call to wait", LONG, async || {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        (!watch.query(waiting, &[]).await.unwrap().is_empty()).then_some(())
    })
    .await;
    admin.execute(insert, &[&&b"1"[..]]).await.unwrap();
    admin.batch_execute("COMMIT").await.unwrap();
    let theirs = RowIdentity::Message("x".to_owned());
    let standing = call.await.unwrap().unwrap();
    for Billed { claim, .. } in standing {
        assert_eq!(claim.unwrap().holder, theirs);
    }
    poll_until("the deadlock to be counted", LONG, async || {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'";
        let row = watch.query_one(deadlocks, &[]).await.unwrap();
        (row.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
}

/// Ten workers bill the same debts, two of them the rows of each import, in
/// batches that overlap and come in any order.
#[tokio::test]
async fn many_ledgers_on_one_server_bill_each_debt_once_without_a_deadlock() {
    const DEBTS: u64 = 300;
    let server = server().await;
    let imports: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    let mut workers = JoinSet::new();
    for seed in 0..10 {
        let ledger = ledger(&server.url(), &[("LEDGER_CONNECTIONS", "3")]).await;
        let import_id = imports[usize::try_from(seed / 2).unwrap()];
        let import = new_import(import_id, DEBTS);
        ledger.register_import(&import).await.unwrap();
        workers.spawn(async move {
            let mut rows: Vec<u64> = (1..=DEBTS).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut rows);
            for batch in rows.chunks(50) {
                work(&ledger, import_id, batch).await;
            }
        });
    }
    workers.join_all().await;
    let ledger = ledger(&server.url(), &[]).await;
    let mut billed = 0;
    for import_id in imports {
        let counts = ledger.outcome_counts(import_id).await.unwrap();
        assert_eq!(counts.billed + counts.skipped, DEBTS);
        assert_eq!(counts.notified, counts.billed);
        let rows = ledger.row_facts(import_id, 1, DEBTS).await.unwrap();
        let is_one = |row: &&RowFacts| row.billed != row.skipped && row.notified == row.billed;
        assert_eq!(rows.iter().filter(is_one).count() as u64, DEBTS);
        billed += counts.billed;
    }
    assert_eq!(billed, DEBTS);
    let admin = connection(&server).await;
    let ask = async |question: &str| {
        let answer = admin.query_one(question, &[]).await.unwrap();
        answer.get::<_, i64>(0)
    };
    let deadlocks = "SELECT sum(deadlocks)::bigint FROM pg_stat_database";
    assert_eq!(ask(deadlocks).await, 0);
    let connections = "SELECT count(DISTINCT slot) FROM progress";
    assert!(ask(connections).await <= 30);
}

/// What billing-worker does with rows, the debt of each being its number.
async fn work(ledger: &PostgresLedger, import_id: Uuid, rows: &[u64]) {
    let bills = rows.iter().map(|row| Bill {
        claim: Claim::new(
            RowIdentity::Row(RowId {
                import_id,
                row: *row,
            }),
            "{}".to_owned(),
        ),
        ..bill(&row.to_string())
    });
    let bills: Vec<Bill> = bills.collect();
    let standing = ledger.bill(&bills).await.unwrap();
    let (mut told, mut skipped) = (Vec::new(), Vec::new());
    for (bill, billed) in bills.iter().zip(standing) {
        let row = bill.claim.holder.row();
        if billed.claim.as_ref() == Some(&bill.claim) {
            let debt_id = &bill.debt_id;
            told.push(Told {
                debt_id,
                row,
                revision: 0,
            });
        } else {
            skipped.extend(row.map(EndedRow::from));
        }
    }
    ledger.tell(&told).await.unwrap();
    ledger.end_rows(Unbilled::Skipped, &skipped).await.unwrap();
}

#[tokio::test]
async fn a_pool_that_is_used_up_is_an_outage_and_bounded() {
    let server = server().await;
    let few = [
        ("LEDGER_CONNECTIONS", "1"),
        ("LEDGER_OPERATION_TIMEOUT", "0.5"),
    ];
    let ledger = ledger(&server.url(), &few).await;
    let admin = connection(&server).await;
    admin
        .batch_execute("BEGIN; INSERT INTO records (debt_id) VALUES ('1')")
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let ledger = ledger.clone();
        calls.spawn(async move { ledger.bill(&[bill("1")]).await });
    }
    let mut lines = String::new();
    for answer in calls.join_all().await {
        let error = answer.unwrap_err();
        assert!(error.is_transient(), "{error}");
        lines.push_str(&error.to_string());
    }
    assert!(lines.contains("LEDGER_CONNECTIONS"), "{lines}");
    admin.batch_execute("ROLLBACK").await.unwrap();
    ride_out(async || ledger.bill(&[bill("1")]).await).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_setting_is_one_line_without_the_secret() {
    let server = server().await;
    let admin = connection(&server).await;
    ledger(&server.url(), &[]).await;
    admin.batch_execute("CREATE DATABASE fresh").await.unwrap();
    admin
        .batch_execute(
            "CREATE ROLE service LOGIN PASSWORD 'hush-hush';
             CREATE ROLE stranger LOGIN PASSWORD 'hush-hush';
             REVOKE CONNECT ON DATABASE postgres FROM public;
             GRANT CONNECT ON DATABASE postgres TO service;
             GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO service",
        )
        .await
        .unwrap();
    let url = |user: &str, password: &str, database: &str| {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{database}",
            server.port()
        )
    };
    for (url, said) in [
        (
            url("service", "hush-wrong", "postgres"),
            "check user and password",
        ),
        (url("service", "hush-hush", "nowhere"), "check the database"),
        (
            url("stranger", "hush-hush", "postgres"),
            "GRANT the user CONNECT",
        ),
        (url("service", "hush-hush", "fresh"), "operator migrate"),
        (
            url("service", "hush-hush", "postgres"),
            "GRANT DELETE on agreements, UPDATE on agreements",
        ),
    ] {
        let error = PostgresLedger::connect(&settings(&url, &[]), None).await;
        let error = error.unwrap_err();
        let line = error.to_string();
        assert!(matches!(error, ServiceError::Unsuitable(_)), "{line}");
        assert!(line.contains(said), "{line}");
        assert!(!line.contains("hush") && !line.contains('\n'), "{line}");
    }
    // Nobody listens there: it is reserved.
    let nobody = "postgres://u:hush@127.0.0.1:1/d";
    let error = PostgresLedger::connect(&settings(nobody, &[]), None).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ServiceError::Ledger(_)), "{error}");
    assert!(!error.to_string().contains("hush"), "{error}");

    // The owner has migrated, and the service may work and nothing else.
    admin
        .batch_execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service",
        )
        .await
        .unwrap();
    let ledger = ledger(&url("service", "hush-hush", "postgres"), &[]).await;
    ledger.ping().await.unwrap();
}

#[tokio::test]
async fn a_right_or_a_table_that_is_gone_is_an_outage() {
    let server = server().await;
    let owner = connection(&server).await;
    owner
        .batch_execute(
            "CREATE ROLE service LOGIN PASSWORD 'word'; GRANT CREATE ON SCHEMA public TO service",
        )
        .await
        .unwrap();
    let url = server
        .url()
        .replace("postgres:postgres-of-tests@", "service:word@");
    let ledger = ledger(&url, &[]).await;
    for (gone, back) in [
        (
            "ALTER TABLE records OWNER TO postgres",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON records TO service",
        ),
        (
            "ALTER TABLE records RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO records",
        ),
    ] {
        owner.batch_execute(gone).await.unwrap();
        let error = ledger.bill(&[bill(gone)]).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        owner.batch_execute(back).await.unwrap();
        ride_out(async || ledger.bill(&[bill(gone)]).await).await;
    }
}

#[tokio::test]
async fn services_that_start_at_once_make_the_tables_once() {
    let server = server().await;
    let mut starts = JoinSet::new();
    for _ in 0..8 {
        let settings = settings(&server.url(), &[]);
        starts.spawn(async move { PostgresLedger::connect(&settings, None).await });
    }
    for started in starts.join_all().await {
        started.unwrap().ping().await.unwrap();
    }
    common::ledger::migrate(&settings(&server.url(), &[]))
        .await
        .unwrap();
    let versions = "SELECT count(*) FROM schema_versions";
    let versions = connection(&server)
        .await
        .query_one(versions, &[])
        .await
        .unwrap();
    assert_eq!(versions.get::<_, i64>(0), 6);
}

#[tokio::test]
async fn a_debt_id_may_hold_any_character() {
    let server = server().await;
    let ledger = ledger(&server.url(), &[]).await;
    let ids = ["a\0b", "a", "a\0", "\u{10ffff}", "\\x61", "a\u{1}b"];
    for (holder, id) in ids.iter().enumerate() {
        let mut bill = bill(id);
        bill.claim.holder = RowIdentity::Message(holder.to_string());
        ledger.bill(&[bill]).await.unwrap();
    }
    for (holder, state) in ledger.debts(&ids).await.unwrap().into_iter().enumerate() {
        let DebtState::Billed { claim, .. } = state else {
            panic!("{:?} is not billed", ids[holder]);
        };
        let holder = RowIdentity::Message(holder.to_string());
        assert_eq!(claim.unwrap().holder, holder);
    }
}
