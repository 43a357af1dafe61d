//! The ledger on a real Redis: the laws of every ledger, and what is Redis's own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::borrow::Cow;
use std::time::Duration;

use common::ledger::RedisSettings;
use common::ledger::{
    Bill, Claim, DebtLedger, DebtState, EndedRow, ImportLedger, RedisLedger, RowLedger,
    SharedLedger, Unbilled,
};
use common::runtime::ServiceError;
use common::runtime::Transient;
use contract::{Reason, RowId, RowIdentity};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use testkit::{Stack, bill, ledger_conformance, new_import, poll_until, tell};
use uuid::Uuid;

async fn empty_redis() -> (SharedLedger, Stack) {
    let stack = Stack::start().await;
    (stack.ledger().await, stack)
}

ledger_conformance!(empty_redis);

fn claim(holder: &str, number: u32) -> Claim {
    Claim {
        holder: RowIdentity::Message(holder.into()),
        notification: format!("{{\"number\":{number}}}"),
    }
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
