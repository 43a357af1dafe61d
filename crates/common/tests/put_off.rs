//! Messages that are put off, on a real queue.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::QueueAttributeName;
use common::messaging::{
    Aws, BatchHandler, Consumer, ConsumerMetrics, ConsumerOptions, Delivery, Queue, Verdict,
};
use common::runtime::AppRegistry;
use common::runtime::Dependency;
use common::service::{BaseSettings, DRAIN};
use contract::RowId;
use testkit::{Attribute, FaultMode, Stack, poll_until, sample};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(30);
const BODY: &str = "{\"Type\":\"Notification\",\n \"Message\":\"é\"}";

/// Puts each message off for a time until that has been done so often.
#[derive(Clone)]
struct PutsOff {
    wait: Duration,
    times: u32,
    seen: Arc<Mutex<Vec<(Delivery, Instant)>>>,
    /// One permit lets one batch go on.
    gate: Arc<Semaphore>,
}

impl PutsOff {
    fn new(times: u32, wait: Duration) -> Self {
        Self {
            wait,
            times,
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    fn seen(&self) -> Vec<(Delivery, Instant)> {
        self.seen.lock().unwrap().clone()
    }
}

impl BatchHandler for PutsOff {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        let now = Instant::now();
        let seen = deliveries.iter().cloned().map(|delivery| (delivery, now));
        self.seen.lock().unwrap().extend(seen);
        self.gate.acquire().await.unwrap().forget();
        let verdict = |delivery: &Delivery| {
            if delivery.put_off < self.times {
                Verdict::PutOff(self.wait)
            } else {
                Verdict::Done
            }
        };
        deliveries.iter().map(verdict).collect()
    }
}

struct Running {
    registry: AppRegistry,
    queue: Queue,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(stack: &Stack, handler: &PutsOff, endpoint: &str) -> Self {
        let url = stack.resources().data_process_url.clone();
        let environment = stack.service_environment(&url, &[("SQS_ENDPOINT_URL", endpoint)]);
        let settings = BaseSettings::read(&environment, "PORT", 0).unwrap();
        let queue = Aws::new(&settings.aws).await;
        let queue = queue.queue(&url.parse().unwrap()).unwrap();
        let registry = AppRegistry::new("test").unwrap();
        let stop = CancellationToken::new();
        let options = ConsumerOptions {
            max_messages: 10,
            batch: 10,
            batch_bytes: usize::MAX,
            long_poll: Duration::from_secs(1),
            concurrency: 2,
            visibility_timeout: Duration::from_secs(30),
            drain: DRAIN,
        };
        let metrics = ConsumerMetrics::new(&registry).unwrap();
        let consumer = Consumer::new(
            queue.clone(),
            handler.clone(),
            options,
            metrics,
            stop.clone(),
        );
        let task = tokio::spawn(async move { consumer.run().await.unwrap() });
        Self {
            registry,
            queue,
            stop,
            task,
        }
    }

    fn counter(&self, name: &str) -> u64 {
        sample(&self.registry.render().unwrap(), name)
    }

    async fn counts(&self, name: &str, count: u64) {
        poll_until(name, LONG, async || {
            (self.counter(name) == count).then_some(())
        })
        .await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

const DELETED: &str = "sqs_consumer_messages_deleted_total";
const PUT_OFF: &str = "messages_put_off_total";
const ERRORS: &str = "messages_processed_errors_total";

fn row() -> RowId {
    RowId {
        import_id: Uuid::from_u128(7),
        row: 42,
    }
}

fn attributes() -> Vec<(&'static str, Attribute)> {
    vec![
        ("import_id", Attribute::Text(row().import_id.to_string())),
        ("row", Attribute::Number(row().row)),
        ("event_type", Attribute::Text("billing.issued".into())),
    ]
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test]
async fn a_message_that_is_put_off_uses_up_no_receive() {
    /// More than the receives that make a dead letter.
    const TIMES: u32 = 7;
    let stack = Stack::start().await;
    let resources = stack.resources().clone();
    let queue = &resources.data_process_url;
    let sent = stack.queues().send(queue, BODY, attributes());
    sent.await.unwrap();
    let handler = PutsOff::new(TIMES, Duration::ZERO);
    let running = Running::start(&stack, &handler, &stack.endpoint_url()).await;
    running.counts(DELETED, u64::from(TIMES) + 1).await;

    let seen = handler.seen();
    for (put_off, (delivery, _)) in (0..=TIMES).zip(&seen) {
        assert_eq!((delivery.put_off, delivery.receive_count), (put_off, 1));
        assert_eq!((&*delivery.body, delivery.row), (BODY, Some(row())));
    }
    assert_eq!(seen.len(), TIMES as usize + 1);
    assert_eq!(running.counter(PUT_OFF), u64::from(TIMES));
    assert_eq!(running.counter(ERRORS), 0);
    let processed = running.counter("messages_processed_successfully_total");
    assert_eq!(processed, 1);
    assert!(stack.depth(queue).await.is_empty());
    let letters = stack.depth(&resources.data_process_dlq_url).await;
    assert!(letters.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn its_copy_waits_in_the_queue_and_keeps_body_and_attributes() {
    let stack = Stack::start().await;
    let queue = stack.resources().data_process_url.clone();
    let sent = stack.queues().send(&queue, BODY, attributes());
    sent.await.unwrap();
    stack.queues().send(&queue, "bare", []).await.unwrap();
    let handler = PutsOff::new(1, Duration::from_secs(2));
    let before = unix_seconds();
    let running = Running::start(&stack, &handler, &stack.endpoint_url()).await;
    running.counts(DELETED, 2).await;
    let depth = running.queue.depth().await.unwrap();
    assert_eq!((depth.delayed, depth.visible, depth.in_flight), (2, 0, 0));
    assert!(depth.is_idle() && !depth.is_empty());
    running.stop().await;

    let mut copies = Vec::new();
    poll_until("the copies", LONG, async || {
        copies.extend(stack.take_all(&queue).await);
        (copies.len() == 2).then_some(())
    })
    .await;
    copies.sort_by_key(|copy| copy.body.len());
    for copy in &mut copies {
        let not_before = copy.attributes.remove("not_before").unwrap();
        let not_before: u64 = not_before.parse().unwrap();
        assert!((before + 2..=unix_seconds() + 2).contains(&not_before));
        assert!(unix_seconds() + 1 >= not_before, "it came too early");
    }
    assert_eq!(copies[0].body, "bare");
    let once = BTreeMap::from([("put_off".to_owned(), "1".to_owned())]);
    assert_eq!(copies[0].attributes, once);
    assert_eq!(copies[1].body, BODY);
    let kept = ["event_type", "import_id", "put_off", "row"];
    assert!(copies[1].attributes.keys().eq(kept));
    assert_eq!(copies[1].attributes["event_type"], "billing.issued");
    assert_eq!(copies[1].attributes["row"], "42");
}

/// SQS delays for 15 minutes at most.
#[tokio::test]
async fn a_copy_that_comes_before_its_time_goes_on_waiting_unseen() {
    let stack = Stack::start().await;
    let queue = &stack.resources().data_process_url;
    let not_before = unix_seconds() + 3;
    for (body, more) in [("early", 3), ("due", 0)] {
        let mut attributes = attributes();
        attributes.push(("put_off", Attribute::Number(4)));
        let not_before = Attribute::Number(not_before - 3 + more);
        attributes.push(("not_before", not_before));
        let sent = stack.queues().send(queue, body, attributes);
        sent.await.unwrap();
    }
    let handler = PutsOff::new(0, Duration::ZERO);
    let running = Running::start(&stack, &handler, &stack.endpoint_url()).await;
    running.counts(DELETED, 2).await;
    let depth = running.queue.depth().await.unwrap();
    assert_eq!((depth.delayed, depth.visible, depth.in_flight), (1, 0, 0));
    running.counts(DELETED, 3).await;
    assert!(unix_seconds() >= not_before);

    let seen = handler.seen();
    let bodies: Vec<&str> = seen.iter().map(|(delivery, _)| &*delivery.body).collect();
    assert_eq!(bodies, ["due", "early"]);
    for (delivery, _) in &seen {
        let counts = (delivery.put_off, delivery.receive_count);
        assert_eq!((counts, delivery.row), ((4, 1), Some(row())));
    }
    assert_eq!(running.counter(PUT_OFF), 0, "it was put off by others");
    running.stop().await;
}

#[tokio::test]
async fn a_message_whose_copy_is_refused_is_not_deleted() {
    let stack = Stack::start().await;
    let queue = stack.resources().data_process_url.clone();
    let large = "x".repeat(2_000);
    for body in [&*large, "small"] {
        stack.queues().send(&queue, body, []).await.unwrap();
    }
    let smaller = stack.queues().client().set_queue_attributes();
    let smaller = smaller.attributes(QueueAttributeName::MaximumMessageSize, "1024");
    smaller.queue_url(&queue).send().await.unwrap();
    let handler = PutsOff::new(1, Duration::ZERO);
    let running = Running::start(&stack, &handler, &stack.endpoint_url()).await;
    running.counts(DELETED, 2).await;
    running.counts(ERRORS, 1).await;
    assert_eq!(running.counter(PUT_OFF), 1);
    running.stop().await;
    assert_eq!(stack.depth(&queue).await.total(), 1);
    poll_until("the large one to come again", LONG, async || {
        let again = stack.take_all(&queue).await.pop()?;
        assert_eq!((again.body, again.receive_count), (large.clone(), 2));
        Some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_of_the_queue_is_waited_for() {
    let stack = Stack::start().await;
    let queue = &stack.resources().data_process_url;
    stack.queues().send(queue, BODY, []).await.unwrap();
    let proxy = stack.proxy_to_emulator().await;
    let mut handler = PutsOff::new(1, Duration::ZERO);
    handler.gate = Arc::new(Semaphore::new(0));
    let running = Running::start(&stack, &handler, &proxy.url()).await;
    poll_until("the message to be in hand", LONG, async || {
        (!handler.seen().is_empty()).then_some(())
    })
    .await;
    proxy.set(FaultMode::Refuse);
    handler.gate.add_permits(1);
    poll_until("the outage to be seen", LONG, async || {
        let over = running.queue.outage().over();
        let there = tokio::time::timeout(Duration::from_millis(10), over).await;
        there.is_err().then_some(())
    })
    .await;
    assert_eq!(stack.depth(queue).await.in_flight, 1);
    proxy.set(FaultMode::Pass);
    handler.gate.add_permits(1);
    running.counts(DELETED, 2).await;
    let seen = handler.seen();
    let counts: Vec<_> = seen
        .iter()
        .map(|(d, _)| (d.put_off, d.receive_count))
        .collect();
    assert_eq!(counts, [(0, 1), (1, 1)]);
    assert_eq!(running.counter(ERRORS), 0);
    running.stop().await;
}
