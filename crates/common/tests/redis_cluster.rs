//! The ledger in a cluster of Redis: the laws of every ledger, and what happens while its shards
//! and slots change hands.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod documented_user;

use std::time::Duration;

use common::ledger::{
    AnyLedger, Bill, Channel, ChannelLedger, Claim, DebtLedger, DebtState, LedgerSettings,
    SendClaim, SharedLedger, Told,
};
use common::runtime::{Environment, ServiceError, Transient};
use contract::RowIdentity;
use documented_user::set_user;
use testkit::{Certificates, RedisCluster, RedisServer, ledger_conformance, poll_until};
use uuid::Uuid;

/// Longest wait for the ledger to go on.
const LONG: Duration = Duration::from_secs(20);

async fn connect(url: &str) -> Result<SharedLedger, ServiceError> {
    connect_with(url, &[]).await
}

async fn connect_with(url: &str, more: &[(&str, &str)]) -> Result<SharedLedger, ServiceError> {
    let variables = [
        ("LEDGER_URL", url),
        ("REDIS_CONNECTION_MAX_RETRIES", "0"),
        ("REDIS_CONNECT_TIMEOUT", "1.5"),
        ("REDIS_OPERATION_TIMEOUT", "1"),
    ];
    let environment: Environment = variables
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    LedgerSettings::read(&environment)?.connect(None).await
}

/// With the documented rights, and no others.
async fn ledger_of(cluster: &RedisCluster) -> SharedLedger {
    let url = url_of(cluster, "").await;
    connect(&url).await.unwrap()
}

async fn url_of(cluster: &RedisCluster, further: &str) -> String {
    let mut login = String::new();
    for server in cluster.servers() {
        login = set_user(server, further).await;
    }
    format!("redis-cluster://{login}@{}", cluster.addresses())
}

fn bills(debt_ids: &[String], holder: &str) -> Vec<Bill> {
    let bill = |debt_id: &String| Bill {
        debt_id: debt_id.clone(),
        claim: Claim::new(
            RowIdentity::Message(format!("{holder}-{debt_id}")),
            "{}".into(),
        ),
    };
    debt_ids.iter().map(bill).collect()
}

fn debt_ids(batch: usize) -> Vec<String> {
    (0..50).map(|debt| format!("{batch}-{debt}")).collect()
}

/// Repeats a call until it is answered; each refusal must be one that passes.
async fn in_the_end<T, E: Transient>(what: &str, call: impl AsyncFn() -> Result<T, E>) -> T {
    poll_until(what, LONG, async || match call().await {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            None
        }
    })
    .await
}

/// Claims a batch, and tells of it; in the end it is claimed and told of.
async fn claims_in_the_end(ledger: &SharedLedger, batch: usize) {
    let debt_ids = debt_ids(batch);
    let bills = bills(&debt_ids, "first");
    let told = debt_ids.iter().map(|debt_id| Told {
        debt_id,
        row: None,
        revision: 0,
    });
    let told: Vec<_> = told.collect();
    let billed = in_the_end("claims", async || ledger.bill(&bills).await).await;
    for (billed, own) in billed.into_iter().zip(&bills) {
        assert_eq!(billed.claim.as_ref(), Some(&own.claim));
    }
    in_the_end("marks", async || ledger.tell(&told).await).await;
}

/// Whoever asks later finds the first claims, told of.
async fn assert_claimed(ledger: &SharedLedger, batches: usize) {
    for batch in 0..batches {
        let debt_ids = debt_ids(batch);
        let first = bills(&debt_ids, "first");
        let others = bills(&debt_ids, "second");
        let billed = in_the_end("claims", async || ledger.bill(&others).await).await;
        let standing = billed.into_iter().map(|billed| billed.claim);
        let expected: Vec<_> = first.into_iter().map(|bill| Some(bill.claim)).collect();
        assert_eq!(standing.collect::<Vec<_>>(), expected);
        let ids: Vec<_> = debt_ids.iter().map(String::as_str).collect();
        let states = in_the_end("states", async || ledger.debts(&ids).await).await;
        let is_told = |state: &DebtState| matches!(state, DebtState::Billed { notified: true, .. });
        assert!(states.iter().all(is_told), "{states:?}");
    }
}

async fn three_masters() -> RedisCluster {
    RedisCluster::start(3, false).await.unwrap()
}

async fn emptied(cluster: &RedisCluster) -> SharedLedger {
    for server in cluster.servers() {
        server.tell("FLUSHALL").await;
    }
    ledger_of(cluster).await
}

ledger_conformance!(in_one_test: three_masters, emptied);

#[tokio::test]
async fn a_master_whose_user_lacks_a_right_is_named_though_another_was_asked() {
    let cluster = three_masters().await;
    let url = url_of(&cluster, "").await;
    connect(&url).await.unwrap();
    let servers: Vec<_> = cluster.servers().collect();
    let (first, last) = (servers[0], servers[2]);
    set_user(last, "-bitfield").await;
    let (login, _) = url.rsplit_once('@').unwrap();
    let refused = connect(&format!("{login}@127.0.0.1:{}", first.port())).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, ServiceError::Unsuitable(_)), "{error}");
    let line = error.to_string();
    let last = format!("127.0.0.1:{}", last.port());
    assert!(line.contains("BITFIELD") && line.contains(&last), "{line}");
}

#[tokio::test]
async fn a_failover_in_the_middle_of_claims_loses_none_and_claims_none_twice() {
    let mut cluster = RedisCluster::start(3, true).await.unwrap();
    let ledger = ledger_of(&cluster).await;
    let claims = async {
        for batch in 0..40 {
            claims_in_the_end(&ledger, batch).await;
        }
    };
    let (failed_over, ()) = tokio::join!(cluster.fail_over(0), claims);
    failed_over.unwrap();
    // What a master has answered and not told its replica yet is lost with it.
    cluster.kill_master_with_a_copy(1).await.unwrap();
    for batch in 40..50 {
        claims_in_the_end(&ledger, batch).await;
    }
    // Nor does one that falls silent keep the others from being reached.
    cluster.silence_master_with_a_copy(2).await.unwrap();
    for batch in 50..60 {
        claims_in_the_end(&ledger, batch).await;
    }
    assert_claimed(&ledger, 60).await;
    in_the_end("readiness", async || ledger.ping().await).await;
}

#[tokio::test]
async fn a_slot_that_moves_holds_its_debts_up_and_loses_none() {
    // That of the tag {b07ik}.
    const SLOT: u16 = 7_676;
    let cluster = three_masters().await;
    let ledger = ledger_of(&cluster).await;
    claims_in_the_end(&ledger, 0).await;
    cluster.begin_move(SLOT, 1, 0).await;
    // What is there is still answered; what is new waits for the end of the move.
    let ids = debt_ids(0);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let billed = async |ledger: &SharedLedger| ledger.debts(&ids).await;
    let known = in_the_end("known debts", async || billed(&ledger).await).await;
    assert!(!known.contains(&DebtState::Unbilled));
    let claims = async {
        for batch in 1..4 {
            claims_in_the_end(&ledger, batch).await;
        }
    };
    let moves = async {
        let refused = bills(&debt_ids(5), "first");
        let error = ledger.bill(&refused).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        cluster.end_move(SLOT, 1, 0).await;
    };
    tokio::join!(claims, moves);
    claims_in_the_end(&ledger, 4).await;
    assert_claimed(&ledger, 5).await;
}

#[tokio::test]
async fn the_wrong_form_of_redis_ends_a_service_at_once() {
    let server = RedisServer::start(None, None).await.unwrap();
    let cluster = RedisCluster::start(1, false).await.unwrap();
    for (scheme, address, told) in [
        (
            "redis-cluster",
            format!("127.0.0.1:{}", server.port()),
            "REDIS_CLUSTER=false",
        ),
        ("redis", cluster.addresses(), "REDIS_CLUSTER=true"),
    ] {
        let error = connect(&format!("{scheme}://{address}")).await.unwrap_err();
        assert!(matches!(error, ServiceError::Unsuitable(_)), "{error:?}");
        let line = error.to_string();
        assert!(line.contains(told) && line.contains(&address), "{line}");
    }
    for right in ["asking", "cluster|slots"] {
        let url = url_of(&cluster, &format!("-{right}")).await;
        let line = connect(&url).await.unwrap_err().to_string();
        let call = right.to_uppercase().replace('|', " ");
        assert!(line.contains(&format!("call {call};")), "{line}");
    }
    // A cluster of one shard is a cluster, whichever node is down.
    let ledger = connect(&format!(
        "redis-cluster://127.0.0.1:1,{}",
        cluster.addresses()
    ))
    .await;
    claims_in_the_end(&ledger.unwrap(), 0).await;
}

#[tokio::test]
async fn tls_and_a_user_are_asked_of_each_node() {
    let certificates = Certificates::make().unwrap();
    let cluster = RedisCluster::start_secure(2, &certificates).await.unwrap();
    let url = url_of(&cluster, "").await.replace("redis-", "rediss-");
    let authority = certificates.authority();
    let authority = ("REDIS_CA_FILE", authority.to_str().unwrap());
    let ledger = connect_with(&url, &[authority]).await.unwrap();
    claims_in_the_end(&ledger, 0).await;
    let error = connect(&url).await.unwrap_err();
    assert!(matches!(error, ServiceError::Unsuitable(_)), "{error:?}");
    assert!(error.to_string().contains("REDIS_CA_FILE"), "{error}");
}

#[tokio::test]
async fn leases_of_an_attempt_end_together_and_are_renewed_together() {
    let cluster = three_masters().await;
    let ledger = ledger_of(&cluster).await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let ids = debt_ids(0);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let claim = async |ids: &[&str], owner| {
        let claimed = ledger.claim_sends(Channel::MAIL, ids, owner, LONG).await;
        claimed.unwrap()
    };
    assert_eq!(claim(&ids[..1], one).await, [SendClaim::Granted]);
    let claims = claim(&ids, other).await;
    let leased = |claim: &SendClaim| matches!(claim, SendClaim::Leased(left) if *left <= LONG);
    assert!(leased(&claims[0]), "{claims:?}");
    assert!(claims[1..].iter().all(|claim| *claim == SendClaim::Granted));
    let renew = async |owner| {
        ledger
            .renew_sends(Channel::MAIL, owner, LONG)
            .await
            .unwrap()
    };
    assert!(renew(one).await && renew(other).await);
    assert!(!renew(Uuid::now_v7()).await);
}
