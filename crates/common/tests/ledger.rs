//! The ledger on a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use common::contract::{RowId, RowIdentity};
use common::ledger::{
    Claim, DebtLedger, DebtState, EndedRow, ImportLedger, MailClaim, MailLedger, Outcome,
    OutcomeCounts, Progress, RedisLedger, RegisteredImports, RowLedger,
};
use common::outage::Transient;
use common::service::{RedisSettings, StartError};
use testkit::{Stack, new_import, poll_until};
use uuid::Uuid;

fn claim(holder: &str, number: u32) -> Claim {
    Claim {
        holder: RowIdentity::Message(holder.into()),
        notification: format!("{{\"number\":{number}}}"),
    }
}

fn rows(import_id: Uuid, rows: &[u64]) -> Vec<RowId> {
    rows.iter()
        .map(|row| RowId {
            import_id,
            row: *row,
        })
        .collect()
}

fn ended(rows: &[RowId]) -> Vec<EndedRow> {
    rows.iter().copied().map(EndedRow::from).collect()
}

fn settings(stack: &Stack, more: &[(&'static str, &str)]) -> RedisSettings {
    RedisSettings::read(&stack.service_environment("http://unused", more)).unwrap()
}

#[tokio::test]
async fn a_debt_is_claimed_once_and_every_later_claim_finds_the_first() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    assert_eq!(ledger.debts(&["7"]).await.unwrap(), [DebtState::Unbilled]);

    let claims = [
        ("7".to_owned(), claim("a", 1)),
        ("7".to_owned(), claim("b", 2)),
    ];
    let standing = ledger.claim(&claims).await.unwrap();
    assert_eq!(standing, [Some(claim("a", 1)), Some(claim("a", 1))]);

    let billed = |notified| DebtState::Billed {
        claim: Some(claim("a", 1)),
        notified,
    };
    assert_eq!(
        ledger.debts(&["7", "8"]).await.unwrap(),
        [billed(false), DebtState::Unbilled]
    );
    ledger.mark_notified(&["7"]).await.unwrap();
    ledger.mark_notified(&["7"]).await.unwrap();
    assert_eq!(ledger.debts(&["7"]).await.unwrap(), [billed(true)]);
    assert_eq!(ledger.notified(&["8", "7"]).await.unwrap(), [false, true]);
}

#[tokio::test]
async fn many_at_once_claim_a_debt_for_one_of_them() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let tasks: Vec<_> = (0..50_u32)
        .map(|number| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let own = claim(&number.to_string(), number);
                let standing = ledger.claim(&[("7".into(), own.clone())]).await.unwrap();
                standing == [Some(own)]
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn a_row_has_at_most_one_outcome_and_a_repeat_is_not_new() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import = Uuid::now_v7();
    ledger
        .register_import(&new_import(import, 10))
        .await
        .unwrap();
    let end = async |outcome, numbers: &[u64]| {
        ledger
            .end_rows(outcome, &ended(&rows(import, numbers)))
            .await
            .unwrap()
    };
    assert_eq!(end(Outcome::Billed, &[1, 2, 1]).await, [true, true, false]);
    assert_eq!(end(Outcome::Skipped, &[2, 3]).await, [false, true]);
    assert_eq!(
        end(Outcome::Invalid, &[3, 1, 4, 4]).await,
        [false, false, true, false]
    );
    assert_eq!(end(Outcome::Billed, &[4, 10]).await, [false, true]);
    let advance = async |progress, numbers: &[u64]| {
        ledger
            .advance_rows(progress, &rows(import, numbers))
            .await
            .unwrap()
    };
    assert_eq!(advance(Progress::Notified, &[1, 2]).await, [true, true]);
    assert_eq!(advance(Progress::Notified, &[2, 10]).await, [false, true]);
    assert_eq!(advance(Progress::Mailed, &[1]).await, [true]);
    let expected = OutcomeCounts {
        rows: 10,
        billed: 3,
        skipped: 1,
        invalid: 1,
        notified: 3,
        mailed: 1,
        ..OutcomeCounts::default()
    };
    assert_eq!(ledger.outcome_counts(import).await.unwrap(), expected);
}

#[tokio::test]
async fn rows_of_several_imports_keep_their_order_in_the_answer() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let mixed = [rows(first, &[1]), rows(second, &[1, 2]), rows(first, &[2])].concat();
    ledger
        .end_rows(Outcome::Billed, &ended(&mixed[1..2]))
        .await
        .unwrap();
    let fresh = ledger
        .end_rows(Outcome::Billed, &ended(&mixed))
        .await
        .unwrap();
    assert_eq!(fresh, [true, false, true, true]);
}

#[tokio::test]
async fn rows_beyond_an_import_or_of_an_unknown_one_are_not_registered() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import = Uuid::now_v7();
    let registered = RegisteredImports::new(ledger.clone());
    let row = |row| RowId {
        import_id: import,
        row,
    };
    assert!(!registered.contain(row(1)).await.unwrap());
    ledger
        .register_import(&new_import(import, 5))
        .await
        .unwrap();
    assert!(registered.contain(row(5)).await.unwrap());
    assert!(!registered.contain(row(6)).await.unwrap());
}

#[tokio::test]
async fn no_number_is_given_out_twice() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let (first, second) = tokio::join!(
        ledger.reserve_numbers("a", 100),
        ledger.reserve_numbers("a", 1),
    );
    let mut numbers: Vec<u64> = first.unwrap().chain(second.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=101).collect::<Vec<_>>());
    assert_eq!(ledger.reserve_numbers("b", 2).await.unwrap(), 1..3);
}

#[tokio::test]
async fn a_mail_is_granted_to_one_until_it_is_released_or_its_lease_ends() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let lease = Duration::from_mins(1);
    let ask = async |owner, lease| ledger.claim_mails(&["7"], owner, lease).await.unwrap()[0];

    assert_eq!(ask(one, lease).await, MailClaim::Granted);
    let MailClaim::Leased(left) = ask(other, lease).await else {
        panic!("granted twice")
    };
    assert!(left > Duration::from_secs(50) && left <= lease, "{left:?}");

    ledger.release_mails(&["7"], other).await.unwrap();
    assert!(matches!(ask(other, lease).await, MailClaim::Leased(_)));
    ledger.release_mails(&["7"], one).await.unwrap();
    assert_eq!(
        ask(other, Duration::from_millis(50)).await,
        MailClaim::Granted
    );

    poll_until("the lease to end", Duration::from_secs(5), async || {
        (ask(one, lease).await == MailClaim::Granted).then_some(())
    })
    .await;
    ledger.mark_mailed(&["7"]).await.unwrap();
    assert_eq!(ask(other, lease).await, MailClaim::Sent);
    ledger.release_mails(&["7"], one).await.unwrap();
    assert_eq!(ask(other, lease).await, MailClaim::Sent);
}

#[tokio::test]
async fn claims_expire_only_where_that_is_asked_for() {
    let stack = Stack::start().await;
    let expiring = RedisLedger::connect(&settings(&stack, &[]), Some(Duration::from_secs(1)))
        .await
        .unwrap();
    expiring
        .claim(&[("7".into(), claim("a", 1))])
        .await
        .unwrap();
    expiring.mark_notified(&["7"]).await.unwrap();
    stack
        .ledger()
        .await
        .claim(&[("8".into(), claim("a", 1))])
        .await
        .unwrap();
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
    ledger.claim(&[("7".into(), claim("a", 1))]).await.unwrap();
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
    assert!(matches!(error, StartError::Redis(_)));
    assert!(error.to_string().contains("REDIS_HOST"), "{error}");
}
