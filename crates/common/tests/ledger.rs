//! The ledger on a real Redis: the laws of every ledger, and what is Redis's own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::borrow::Cow;
use std::time::Duration;

use common::ledger::RedisSettings;
use common::ledger::{
    Bill, CarrierLedger, Claim, DebtLedger, DebtState, EndedRow, ImportLease, ImportLedger,
    NewImport, RedisLedger, RowLedger, SharedLedger, Unbilled,
};
use common::runtime::ServiceError;
use common::runtime::Transient;
use contract::{Reason, RowId, RowIdentity};
use jiff::Timestamp;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use testkit::{
    FaultMode, Resets, Stack, bill, ledger_conformance, new_import, poll_until, record_sent, tell,
};
use uuid::Uuid;

async fn empty_redis() -> (SharedLedger, Stack) {
    let stack = Stack::start().await;
    (stack.ledger().await, stack)
}

ledger_conformance!(empty_redis);

fn claim(holder: &str, number: u32) -> Claim {
    Claim::new(
        RowIdentity::Message(holder.into()),
        format!("{{\"number\":{number}}}"),
    )
}

fn settings(stack: &Stack, more: &[(&'static str, &str)]) -> RedisSettings {
    RedisSettings::read(&stack.service_environment("http://unused", more)).unwrap()
}

async fn connection(stack: &Stack) -> MultiplexedConnection {
    let client = redis::Client::open(stack.redis_url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn the_keys_of_a_debt_are_those_of_the_contract() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let id = " a:{7} é";
    let exists = async |redis: &mut MultiplexedConnection, name: &str| -> bool {
        redis.exists(format!("{name}:{id}")).await.unwrap()
    };
    bill(&ledger, id, claim("a", 1)).await;
    assert!(exists(&mut redis, "processed").await);
    assert!(!exists(&mut redis, "notification").await);
    tell(&ledger, &[id]).await;
    assert!(exists(&mut redis, "notification").await);
    ledger.forget_notified(&[id]).await.unwrap();
    assert!(!exists(&mut redis, "notification").await);
}

#[tokio::test]
async fn what_a_counterpart_wrote_means_done_though_it_cannot_be_read() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let () = redis.set("processed:7", "1").await.unwrap();
    let () = redis.set("notification:7", "").await.unwrap();
    let billed = DebtState::Billed {
        claim: None,
        notified: true,
    };
    assert_eq!(ledger.debts(&["7"]).await.unwrap(), [billed]);
    assert_eq!(bill(&ledger, "7", claim("a", 1)).await, None);
    let kept: String = redis.get("processed:7").await.unwrap();
    assert_eq!(kept, "1");
}

#[tokio::test]
async fn a_key_that_holds_no_text_means_billed_and_holds_nothing_else_up() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let () = redis.hset("processed:2", "field", 1).await.unwrap();
    let () = redis.rpush("processed:4", 1).await.unwrap();
    let bills: Vec<Bill> = (1..=5)
        .map(|number| Bill {
            debt_id: number.to_string(),
            claim: claim("a", number),
        })
        .collect();
    for _ in 0..2 {
        let billed = ledger.bill(&bills).await.unwrap();
        for (billed, bill) in billed.iter().zip(&bills) {
            let is_foreign = ["2", "4"].contains(&&*bill.debt_id);
            let own = (!is_foreign).then_some(&bill.claim);
            assert_eq!(billed.claim.as_ref(), own, "{}", bill.debt_id);
        }
    }
}

#[tokio::test]
async fn an_import_lives_in_one_slot_of_a_cluster() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let import_id = Uuid::now_v7();
    let import = new_import(import_id, 3);
    ledger.register_import(&import).await.unwrap();
    let rows = [row(import_id, 1, Some("a"))];
    ledger.end_rows(Unbilled::Invalid, &rows).await.unwrap();
    let keys: Vec<String> = redis.keys(format!("*{import_id}*")).await.unwrap();
    assert!(keys.len() > 3, "{keys:?}");
    let tag = format!("{{{import_id}}}");
    assert!(keys.iter().all(|key| key.contains(&tag)), "{keys:?}");
}

const HOUR: Duration = Duration::from_hours(1);

async fn take(ledger: &SharedLedger) -> Option<Uuid> {
    let spool = new_import(Uuid::nil(), 1).spool;
    let taken = ledger.take_import(&spool, Uuid::now_v7(), HOUR).await;
    taken.unwrap().map(|taken| taken.lease.import_id)
}

/// Nobody carries what was taken so, and it need not wait for the end of its lease.
#[tokio::test]
async fn a_take_whose_answer_is_lost_is_made_again() {
    const ATTEMPT: &str = "00000000-0000-0000-0000-0000000000a1";
    let stack = Stack::start().await;
    let proxy = stack.proxy_to_redis().await;
    let port = proxy.address().port().to_string();
    let ledger = settings(&stack, &[("REDIS_PORT", &port)]);
    let ledger = RedisLedger::connect(&ledger, None).await.unwrap();
    let [before, import] = [1, 2].map(|id| new_import(Uuid::from_u128(id), 3));
    for import in [&before, &import] {
        ledger.register_import(import).await.unwrap();
    }
    let take = async |attempt| ledger.take_import(&import.spool, attempt, HOUR).await;
    // From then on Redis has the script.
    take(Uuid::new_v4()).await.unwrap().unwrap();
    let attempt = ATTEMPT.parse().unwrap();
    proxy.set(FaultMode::ResetAfterCommit(Resets::of(1.0, ATTEMPT)));
    assert!(take(attempt).await.unwrap_err().is_transient());
    assert!(proxy.resets() > 0);
    proxy.set(FaultMode::Pass);
    let taken = poll_until("the import", HOUR / 60, async || take(attempt).await.ok()).await;
    let lease = taken.unwrap().lease;
    assert_eq!((lease.import_id, lease.epoch), (import.import_id, 2));
    assert!(ledger.renew_imports(&[lease], HOUR).await.unwrap()[0]);
}

/// The key of what is listed for carriers.
const LISTED: &str = "imports:carry:{a%20spool}:";

#[tokio::test]
async fn what_is_listed_for_carriers_is_a_hint() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let ids = [1, 2, 3, 4].map(Uuid::from_u128);
    let [held, ended, cut, later] = ids;
    for id in [held, ended] {
        ledger.register_import(&new_import(id, 3)).await.unwrap();
    }
    assert_eq!(take(&ledger).await, Some(held));
    assert!(!record_sent(&ledger, ended, 3, Some(Timestamp::now())).await);
    // What a process that was killed between two steps leaves of each.
    for id in [held, ended, cut] {
        let () = redis.zadd(LISTED, id.to_string(), 0).await.unwrap();
    }
    let () = redis.sadd(LISTED.trim_end_matches(':'), "").await.unwrap();
    let () = redis.zadd(LISTED, "not an id", 0).await.unwrap();
    assert_eq!(take(&ledger).await, Some(cut));
    assert_eq!(ledger.import_status(cut).await.unwrap(), None);
    assert_eq!(take(&ledger).await, None);
    let listed: Vec<String> = redis.zrange(LISTED, 0, -1).await.unwrap();
    assert_eq!(listed, [held, cut].map(|id| id.to_string()));
    // Its carrier finds the file, and says what it is.
    assert!(ledger.register_import(&new_import(cut, 3)).await.unwrap());
    let status = ledger.import_status(cut).await.unwrap().unwrap();
    assert!(status.carried_until.is_some());
    assert_eq!(take(&ledger).await, None);

    // The list is lost.
    ledger.register_import(&new_import(later, 3)).await.unwrap();
    let () = redis.del(LISTED).await.unwrap();
    assert_eq!(take(&ledger).await, None);
    for id in ids {
        let is_unsent = ledger.register_import(&new_import(id, 3)).await.unwrap();
        assert_eq!(is_unsent, id != ended);
    }
    assert_eq!(take(&ledger).await, Some(later));
    assert_eq!(take(&ledger).await, None);
}

#[tokio::test]
async fn an_import_of_a_version_without_carriers_is_carried_once_it_is_registered_again() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let import = new_import(Uuid::from_u128(1), 9);
    let info = format!("import:{{{}}}:info", import.import_id);
    let fields = [("rows", "9"), ("size", "1"), ("accepted_at", "1")];
    let () = redis.hset_multiple(&info, &fields).await.unwrap();
    let () = redis
        .hset_multiple(&info, &[("sent", "4"), ("sha256", "x")])
        .await
        .unwrap();
    assert!(!record_sent(&ledger, import.import_id, 5, None).await);
    assert_eq!(take(&ledger).await, None);
    assert!(ledger.register_import(&import).await.unwrap());
    let status = ledger
        .import_status(import.import_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((status.import.spool, status.import.size), (import.spool, 1));
    assert_eq!(take(&ledger).await, Some(import.import_id));
    assert_eq!(take(&ledger).await, None);
}

#[tokio::test]
async fn clients_without_imports_that_are_to_be_carried_take_no_room() {
    let stack = Stack::start().await;
    let (ledger, mut redis) = (stack.ledger().await, connection(&stack).await);
    let ids = [1, 2, 3].map(Uuid::from_u128);
    for id in ids {
        let import = NewImport {
            client: format!("client {id}"),
            ..new_import(id, 3)
        };
        ledger.register_import(&import).await.unwrap();
    }
    ledger
        .cancel_import(ids[0], Timestamp::now())
        .await
        .unwrap();
    let nobodys = ImportLease {
        import_id: ids[1],
        epoch: 0,
    };
    let failed = ledger.record_failure(&nobodys, "gone", Timestamp::now());
    assert!(failed.await.unwrap());
    record_sent(&ledger, ids[2], 3, Some(Timestamp::now())).await;
    let keys: Vec<String> = redis.keys("imports:carry:*").await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn redis_tells_254_reasons_apart_and_calls_the_rest_other() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = Uuid::now_v7();
    let import = new_import(import_id, 300);
    ledger.register_import(&import).await.unwrap();
    let rows: Vec<EndedRow> = (1..=300)
        .map(|number| row(import_id, number, Some(&number.to_string())))
        .collect();
    ledger.end_rows(Unbilled::Invalid, &rows).await.unwrap();
    let facts = ledger.row_facts(import_id, 253, 4).await.unwrap();
    let codes = facts.iter().map(|f| &*f.reason.as_ref().unwrap().code);
    assert_eq!(codes.collect::<Vec<_>>(), ["253", "254", "other", "other"]);
}

fn row(import_id: Uuid, row: u64, code: Option<&str>) -> EndedRow {
    EndedRow {
        row: RowId { import_id, row },
        reason: code.map(|code| Reason {
            code: Cow::Owned(code.to_owned()),
            text: Cow::Borrowed("text"),
        }),
    }
}

#[tokio::test]
async fn claims_expire_only_where_that_is_asked_for() {
    let stack = Stack::start().await;
    let settings = settings(&stack, &[("REDIS_DATA_EXPIRATION", "1")]);
    let expiring = RedisLedger::connect(&settings, None).await.unwrap();
    bill(&expiring, "7", claim("a", 1)).await;
    tell(&expiring, &["7"]).await;
    bill(&stack.ledger().await, "8", claim("a", 1)).await;
    poll_until("the claim to expire", Duration::from_secs(5), async || {
        let states = expiring.debts(&["7"]).await.unwrap();
        (states == [DebtState::Unbilled]).then_some(())
    })
    .await;
    let states = expiring.debts(&["8"]).await.unwrap();
    assert!(matches!(states[0], DebtState::Billed { .. }));
}

#[tokio::test]
async fn an_outage_is_a_transient_error_and_the_connection_mends_itself() {
    let mut stack = Stack::start().await;
    let ledger = stack.ledger().await;
    bill(&ledger, "7", claim("a", 1)).await;
    stack.kill_redis();
    let error = ledger.debts(&["7"]).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    stack.start_redis().await;
    poll_until(
        "the ledger to be back",
        Duration::from_secs(10),
        async || ledger.debts(&["7"]).await.ok(),
    )
    .await;
}

#[tokio::test]
async fn a_redis_that_does_not_answer_at_start_is_an_error_after_the_tries() {
    let mut stack = Stack::start().await;
    let more = [
        ("REDIS_CONNECTION_MAX_RETRIES", "2"),
        ("REDIS_CONNECTION_RETRY_INTERVAL", "0.01"),
    ];
    let settings = settings(&stack, &more);
    stack.kill_redis();
    let error = RedisLedger::connect(&settings, None).await.unwrap_err();
    assert!(matches!(error, ServiceError::Ledger(_)));
    assert!(error.to_string().contains("REDIS_HOST"), "{error}");
}
