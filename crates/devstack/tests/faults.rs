//! The promise under faults: each row exactly one outcome, each debt one bill and one e-mail.
//!
//! What makes a message wait for 30 seconds (a receive whose answer is lost) or 60 (a claim of an
//! e-mail whose answer is lost, or that another delivery of the same e-mail holds) is left to the
//! chaos runs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::collections::BTreeMap;
use std::time::Duration;

use common::ledger::ImportLedger;
use emulators::emulator::{Attribute, StoredMessage};
use futures::future::join_all;
use suite::{Suite, Variable};
use testkit::{CsvFile, CsvRow, FaultMode, FaultProxy, Resets, poll_until};
use tokio::time;
use uuid::Uuid;

/// Valid rows of a file.
const DEBTS: usize = 300;

/// How long a dependency is away.
const OUTAGE: Duration = Duration::from_secs(2);

/// Longest wait for a fault to be felt.
const LONG: Duration = Duration::from_secs(20);

/// A file with debts of its own, five repeated debts and three bad rows.
fn file(name: &str) -> Vec<u8> {
    let debt = |number: usize| CsvRow::valid(format!("{name}-{number}"));
    let bad = CsvRow {
        email: "nobody".into(),
        ..debt(0)
    };
    (0..DEBTS)
        .chain(0..5)
        .fold(CsvFile::new(), |file, number| file.row(&debt(number)))
        .row(&bad)
        .row(&bad)
        .line(",1,nobody@example.com,1,2027-03-15,nobody")
        .bytes()
}

fn sqs(proxy: &FaultProxy) -> Variable {
    ("SQS_ENDPOINT_URL", proxy.url())
}

fn sns(proxy: &FaultProxy) -> Variable {
    ("SNS_ENDPOINT_URL", proxy.url())
}

fn redis(proxy: &FaultProxy) -> Variable {
    ("REDIS_PORT", proxy.address().port().to_string())
}

/// Refuses connections for a while, in which clients must have tried.
async fn outage(proxy: &FaultProxy) {
    let before = proxy.resets();
    proxy.set(FaultMode::Refuse);
    time::sleep(OUTAGE).await;
    poll_until("the outage to be felt", LONG, async || {
        (proxy.resets() > before).then_some(())
    })
    .await;
    proxy.set(FaultMode::Pass);
}

/// Two files: one in work when the outage begins, one uploaded during it.
async fn two_files_around_an_outage(suite: &Suite, proxy: &FaultProxy) {
    let first = suite.upload(file("first")).await;
    suite.billed(first, 50).await;
    let (second, ()) = tokio::join!(suite.upload(file("second")), outage(proxy));
    suite
        .nothing_is_lost_and_nothing_twice(&[first, second], 2 * DEBTS)
        .await;
}

#[tokio::test]
async fn the_importer_waits_for_sqs() {
    let mut suite = Suite::without_services().await;
    let proxy = suite.stack.proxy_to_emulator().await;
    suite.start_importer(&[sqs(&proxy)]).await;
    suite.start_billing(&[]).await;
    suite.start_mailing(&[]).await;
    two_files_around_an_outage(&suite, &proxy).await;
}

#[tokio::test]
async fn billing_waits_for_sqs() {
    let mut suite = Suite::without_services().await;
    let proxy = suite.stack.proxy_to_emulator().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[sqs(&proxy)]).await;
    suite.start_mailing(&[]).await;
    two_files_around_an_outage(&suite, &proxy).await;
}

#[tokio::test]
async fn mailing_waits_for_sqs() {
    let mut suite = Suite::without_services().await;
    let proxy = suite.stack.proxy_to_emulator().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[]).await;
    suite.start_mailing(&[sqs(&proxy)]).await;
    two_files_around_an_outage(&suite, &proxy).await;
}

#[tokio::test]
async fn billing_waits_for_sns() {
    let mut suite = Suite::without_services().await;
    let proxy = suite.stack.proxy_to_emulator().await;
    suite.start_importer(&[]).await;
    suite.start_billing(&[sns(&proxy)]).await;
    suite.start_mailing(&[]).await;
    two_files_around_an_outage(&suite, &proxy).await;
}

#[tokio::test]
async fn what_sqs_and_sns_took_without_saying_so_is_not_done_twice() {
    let mut suite = Suite::without_services().await;
    let to_emulator = async || suite.stack.proxy_to_emulator().await;
    let (sends, publishes) = (to_emulator().await, to_emulator().await);
    let (billing, mailing) = (to_emulator().await, to_emulator().await);
    for (proxy, operation) in [
        (&sends, "SendMessageBatch"),
        (&publishes, "PublishBatch"),
        (&billing, "DeleteMessageBatch"),
        (&mailing, "DeleteMessageBatch"),
    ] {
        proxy.set(FaultMode::ResetAfterCommit(Resets::of(0.4, operation)));
    }
    suite.start_importer(&[sqs(&sends)]).await;
    suite.start_billing(&[sqs(&billing), sns(&publishes)]).await;
    suite.start_mailing(&[sqs(&mailing)]).await;

    let import = suite.upload(file("debt")).await;

    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
    for proxy in [&sends, &publishes, &billing, &mailing] {
        assert!(proxy.resets() > 0);
    }
}

#[tokio::test]
async fn what_redis_took_without_saying_so_is_not_done_twice() {
    let mut suite = Suite::without_services().await;
    let importing = suite.stack.proxy_to_redis().await;
    let billing = suite.stack.proxy_to_redis().await;
    suite.start_importer(&[redis(&importing)]).await;
    suite.start_billing(&[redis(&billing)]).await;
    suite.start_mailing(&[]).await;
    for service in suite.importers.iter().chain(&suite.billing_workers) {
        let url = format!("{}/ready", service.url());
        poll_until("a service to be ready", LONG, async || {
            let answer = reqwest::get(&url).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }
    for (proxy, share) in [(&importing, 0.1), (&billing, 0.1)] {
        proxy.set(FaultMode::ResetAfterCommit(Resets::of_all(share)));
    }

    let import = suite.upload(file("debt")).await;

    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
    assert!(importing.resets() > 0 && billing.resets() > 0);
}

#[tokio::test]
async fn a_slow_redis_only_takes_longer() {
    let mut suite = Suite::without_services().await;
    let proxy = suite.stack.proxy_to_redis().await;
    proxy.set(FaultMode::Slow(Duration::from_millis(20)));
    suite.start_importer(&[redis(&proxy)]).await;
    suite.start_billing(&[redis(&proxy)]).await;
    suite.start_mailing(&[redis(&proxy)]).await;

    let import = suite.upload(file("debt")).await;

    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
}

#[tokio::test]
async fn a_redis_that_was_killed_is_waited_for() {
    let mut suite = Suite::start().await;
    let first = suite.upload(file("first")).await;
    suite.billed(first, 50).await;

    suite.stack.kill_redis();
    let (second, ()) = tokio::join!(suite.upload(file("second")), time::sleep(OUTAGE));
    suite.stack.start_redis().await;

    suite
        .nothing_is_lost_and_nothing_twice(&[first, second], 2 * DEBTS)
        .await;
}

#[tokio::test]
async fn each_service_goes_on_with_the_new_master_of_redis() {
    let mut suite = Suite::without_services().await;
    let mut proxies = Vec::new();
    for _ in 0..3 {
        proxies.push(suite.stack.proxy_to_redis().await);
    }
    suite.start_importer(&[redis(&proxies[0])]).await;
    suite.start_billing(&[redis(&proxies[1])]).await;
    suite.start_mailing(&[redis(&proxies[2])]).await;
    let first = suite.upload(file("first")).await;
    suite.billed(first, 50).await;

    let _old = suite.stack.fail_over_redis().await;
    let services = [
        &suite.importers,
        &suite.billing_workers,
        &suite.mail_workers,
    ];
    let urls = services.map(|services| format!("{}/ready", services[0].url()));
    for url in &urls {
        poll_until("a service not to be ready", LONG, async || {
            let answer = reqwest::get(url).await.ok()?;
            (answer.status() == 503).then_some(())
        })
        .await;
    }
    let second = suite.upload(file("second")).await;
    suite.ledger = suite.stack.ledger().await;
    for proxy in &proxies {
        proxy.redirect(([127, 0, 0, 1], suite.stack.redis_port()).into());
    }

    suite
        .nothing_is_lost_and_nothing_twice(&[first, second], 2 * DEBTS)
        .await;
    for url in &urls {
        assert_eq!(reqwest::get(url).await.unwrap().status(), 200);
    }
}

/// Puts messages in a queue as they were.
async fn send_again(suite: &Suite, queue: &str, messages: &[StoredMessage]) {
    for message in messages {
        let attributes = message.attributes.iter().map(|(name, value)| {
            let value = value
                .parse()
                .map_or_else(|_| Attribute::Text(value.clone()), Attribute::Number);
            (name.as_str(), value)
        });
        let sent = suite.stack.queues().send(queue, &message.body, attributes);
        sent.await.unwrap();
    }
}

/// Waits until all bills are published and no row is left in the queue.
async fn published(suite: &Suite, import: Uuid) {
    let queue = &suite.stack.resources().data_process_url;
    poll_until("every debt to be notified", LONG, async || {
        let counts = suite.ledger.outcome_counts(import).await.ok()?;
        let depth = suite.stack.depth(queue).await;
        (counts.notified == DEBTS as u64 && depth.is_empty()).then_some(())
    })
    .await;
}

/// Lets every e-mail be sent, and delivers all notifications once more then, in another order.
async fn mailed_and_delivered_again(suite: &mut Suite, import: Uuid) {
    let queue = suite.stack.resources().process_email_url.clone();
    let mut notifications = suite.stack.take_all(&queue).await;
    // Two workers on a row may both have published; their messages differ in all but this.
    let rows = notifications.iter().map(|n| (n.row().unwrap(), n));
    let first_of_each: BTreeMap<_, _> = rows.collect();
    let first_of_each: Vec<_> = first_of_each.into_values().cloned().collect();
    send_again(suite, &queue, &first_of_each).await;
    suite.start_mailing(&[]).await;
    suite.completed(import).await;

    fastrand::Rng::with_seed(7).shuffle(&mut notifications);
    send_again(suite, &queue, &notifications).await;
}

/// Uploads a file while nobody receives, and waits until all of its messages are in the queue.
async fn queued(suite: &Suite) -> Uuid {
    let import = suite.upload(file("debt")).await;
    let queue = &suite.stack.resources().data_process_url;
    poll_until("all rows to be in the queue", LONG, async || {
        let depth = suite.stack.depth(queue).await;
        (depth.visible == DEBTS as u64 + 8).then_some(())
    })
    .await;
    import
}

#[tokio::test]
async fn repeated_deliveries_in_any_order_change_nothing() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    let import = queued(&suite).await;
    let queue = suite.stack.resources().data_process_url.clone();
    let mut messages = suite.stack.take_all(&queue).await;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3 {
        random.shuffle(&mut messages);
        send_again(&suite, &queue, &messages).await;
    }

    suite.start_billing(&[]).await;
    published(&suite, import).await;
    mailed_and_delivered_again(&mut suite, import).await;

    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
}

#[tokio::test]
async fn two_workers_on_the_same_rows_bill_them_once() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    let import = queued(&suite).await;
    let queue = suite.stack.resources().data_process_url.clone();
    // Both messages of a row in neighbouring receives, which go to both workers.
    let messages = suite.stack.take_all(&queue).await;
    for receive in messages.chunks(10) {
        send_again(&suite, &queue, receive).await;
        send_again(&suite, &queue, receive).await;
    }

    suite.start_billing(&[]).await;
    suite.start_billing(&[]).await;
    published(&suite, import).await;
    mailed_and_delivered_again(&mut suite, import).await;

    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
}

#[tokio::test]
async fn eight_clients_with_the_same_file_and_five_workers_bill_it_once() {
    let mut suite = Suite::start().await;
    suite.start_billing(&[]).await;
    suite.start_billing(&[]).await;
    suite.start_mailing(&[]).await;

    let imports = join_all((0..8).map(|_| suite.upload(file("debt")))).await;

    suite
        .nothing_is_lost_and_nothing_twice(&imports, DEBTS)
        .await;
}

/// Has importer-api tell again what is not at its end.
async fn reconcile(suite: &Suite, import: Uuid) -> serde_json::Value {
    let url = format!("{}/v1/imports/{import}/reconcile", suite.importers[0].url());
    let answer = reqwest::Client::new().post(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn what_both_queues_lost_is_told_again() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    let import = queued(&suite).await;
    let resources = suite.stack.resources().clone();
    suite.stack.take_all(&resources.data_process_url).await;
    let told = reconcile(&suite, import).await;
    assert_eq!(told["without_outcome"], DEBTS as u64 + 8);

    suite.start_billing(&[]).await;
    published(&suite, import).await;
    let lost = suite.stack.take_all(&resources.process_email_url).await;
    assert_eq!(lost.len(), DEBTS);
    suite.start_mailing(&[]).await;
    let told = reconcile(&suite, import).await;
    assert_eq!(told["not_mailed"], DEBTS as u64);
    suite.completed(import).await;
    let told = reconcile(&suite, import).await;
    assert_eq!(told["not_mailed"], 0);
    suite
        .nothing_is_lost_and_nothing_twice(&[import], DEBTS)
        .await;
}
