//! The consumer on a real queue.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::messaging::{
    Aws, BatchHandler, BatchSender, Consumer, ConsumerMetrics, ConsumerOptions, Delivery,
    EntryOutcome, Outgoing, Queue, Verdict,
};
use common::runtime::AppRegistry;
use common::service::{BaseSettings, DRAIN};
use contract::RowId;
use testkit::{Stack, poll_until, sample};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(20);

async fn queue(stack: &Stack) -> Queue {
    let url = stack.resources().data_process_url.clone();
    let settings = BaseSettings::read(&stack.service_environment(&url, &[]), "PORT", 0).unwrap();
    Aws::new(&settings.aws)
        .await
        .queue(&url.parse().unwrap())
        .unwrap()
}

fn message(body: &str) -> Outgoing {
    Outgoing {
        body: body.to_owned(),
        row: None,
        columns: None,
        event_type: None,
        trace: None,
    }
}

/// Gives the verdict that a body names: `done`, `later`, `fail`, `panic`, and
/// after a time `slow`; `stuck` waits until it is let go. Keeps what it saw,
/// and of how many messages each batch was.
#[derive(Clone, Default)]
struct Handler {
    seen: Arc<Mutex<Vec<Delivery>>>,
    batches: Arc<Mutex<Vec<usize>>>,
    let_go: CancellationToken,
}

impl Handler {
    fn receives(&self) -> HashMap<String, u32> {
        let mut receives = HashMap::new();
        for delivery in self.seen.lock().unwrap().iter() {
            *receives.entry(delivery.body.clone()).or_default() += 1;
        }
        receives
    }
}

impl BatchHandler for Handler {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        self.seen.lock().unwrap().extend(deliveries.iter().cloned());
        self.batches.lock().unwrap().push(deliveries.len());
        let mut verdicts = Vec::new();
        for delivery in deliveries {
            verdicts.push(match delivery.body.as_str() {
                "later" if delivery.receive_count == 1 => Verdict::Later(Duration::ZERO),
                "fail" => Verdict::Failed,
                "panic" if delivery.receive_count == 1 => panic!("told to"),
                "poison" => panic!("told to"),
                "stuck" => {
                    self.let_go.cancelled().await;
                    Verdict::Done
                }
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    Verdict::Done
                }
                _ => Verdict::Done,
            });
        }
        verdicts
    }
}

struct Running {
    handler: Handler,
    registry: AppRegistry,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn run(stack: &Stack, visibility_timeout: Duration) -> Running {
    run_in_batches(stack, visibility_timeout, 1, 1).await
}

async fn run_in_batches(
    stack: &Stack,
    visibility_timeout: Duration,
    most: usize,
    batch: usize,
) -> Running {
    let handler = Handler::default();
    let registry = AppRegistry::new("test").unwrap();
    let stop = CancellationToken::new();
    let options = ConsumerOptions {
        max_messages: most,
        batch,
        batch_bytes: 1_000,
        long_poll: Duration::from_secs(1),
        concurrency: 3,
        visibility_timeout,
        drain: DRAIN,
    };
    let consumer = Consumer::new(
        queue(stack).await,
        handler.clone(),
        options,
        ConsumerMetrics::new(&registry).unwrap(),
        stop.clone(),
    );
    let task = tokio::spawn(async move { consumer.run().await.unwrap() });
    Running {
        handler,
        registry,
        stop,
        task,
    }
}

fn counter(registry: &AppRegistry, name: &str) -> u64 {
    sample(&registry.render().unwrap(), name)
}

#[tokio::test]
async fn each_message_is_settled_by_its_own_verdict() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    let messages: Vec<_> = ["done", "later", "fail", "panic", "done"]
        .map(message)
        .into();
    let sent = queue
        .send_batch(&messages.iter().collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(sent, vec![EntryOutcome::Accepted; 5]);

    let running = run(&stack, Duration::from_secs(30)).await;
    poll_until("all but the failing one to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") == 4).then_some(())
    })
    .await;
    running.stop.cancel();
    running.task.await.unwrap();

    let receives = running.handler.receives();
    assert_eq!(
        (receives["done"], receives["later"], receives["panic"]),
        (2, 2, 2)
    );
    let depth = stack.depth(&stack.resources().data_process_url).await;
    assert_eq!(depth.total(), 1, "the failing one is still there");
    assert_eq!(
        counter(&running.registry, "messages_processed_successfully_total"),
        4
    );
    assert!(counter(&running.registry, "messages_processed_errors_total") >= 2);
}

#[tokio::test]
async fn full_receives_are_handled_together_and_settled_each() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    let bodies: Vec<_> = (0..95).map(|number| message(&number.to_string())).collect();
    for batch in bodies.chunks(10) {
        let batch: Vec<_> = batch.iter().collect();
        queue.send_batch(&batch).await.unwrap();
    }
    let running = run_in_batches(&stack, Duration::from_secs(30), 10, 35).await;
    poll_until("all to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") == 95).then_some(())
    })
    .await;
    running.stop.cancel();
    running.task.await.unwrap();

    assert!(running.handler.receives().values().all(|times| *times == 1));
    let batches = running.handler.batches.lock().unwrap().clone();
    assert_eq!(batches.iter().max(), Some(&30), "{batches:?}");
    let depth = stack.depth(&stack.resources().data_process_url).await;
    assert_eq!(depth.total(), 0);
}

#[tokio::test]
async fn a_batch_of_large_messages_is_not_filled_up() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    let bodies: Vec<_> = (0..40)
        .map(|number| message(&format!("{number:0100}")))
        .collect();
    for batch in bodies.chunks(10) {
        let batch: Vec<_> = batch.iter().collect();
        queue.send_batch(&batch).await.unwrap();
    }
    let running = run_in_batches(&stack, Duration::from_secs(30), 10, 30).await;
    poll_until("all to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") == 40).then_some(())
    })
    .await;
    running.stop.cancel();
    running.task.await.unwrap();
    let batches = running.handler.batches.lock().unwrap().clone();
    assert_eq!(batches.iter().max(), Some(&10), "{batches:?}");
}

#[tokio::test]
async fn a_poison_message_fails_alone() {
    let stack = Stack::start().await;
    let url = &stack.resources().data_process_url;
    let queue = queue(&stack).await;
    let mut bodies: Vec<String> = (0..9).map(|number| format!("good {number}")).collect();
    bodies.insert(4, "poison".into());
    let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
    queue
        .send_batch(&messages.iter().collect::<Vec<_>>())
        .await
        .unwrap();

    let running = run_in_batches(&stack, Duration::from_secs(30), 10, 30).await;
    poll_until("its neighbours to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") == 9).then_some(())
    })
    .await;
    running.stop.cancel();
    running.task.await.unwrap();

    for delivery in running.handler.seen.lock().unwrap().iter() {
        assert_eq!(delivery.receive_count, 1, "{}", delivery.body);
    }
    assert_eq!(stack.depth(url).await.total(), 1, "the poison is left");
    assert_eq!(
        counter(&running.registry, "messages_processed_errors_total"),
        1
    );
}

#[tokio::test]
async fn a_stop_leaves_nothing_hidden() {
    const MESSAGES: u64 = 300;
    let stack = Stack::start().await;
    let url = &stack.resources().data_process_url;
    let queue = queue(&stack).await;
    let batch = vec![message("done"); 10];
    for _ in 0..MESSAGES / 10 {
        let sent = queue.send_batch(&batch.iter().collect::<Vec<_>>()).await;
        sent.unwrap();
    }
    let running = run_in_batches(&stack, Duration::from_secs(30), 10, 30).await;
    poll_until("some to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") > 0).then_some(())
    })
    .await;
    running.stop.cancel();
    running.task.await.unwrap();

    let deleted = counter(&running.registry, "sqs_consumer_messages_deleted_total");
    let depth = stack.depth(url).await;
    assert_eq!((depth.in_flight, depth.visible), (0, MESSAGES - deleted));
    let handled = running.handler.seen.lock().unwrap().len() as u64;
    assert_eq!(handled, deleted, "nothing is begun after the stop");
}

#[tokio::test]
async fn a_message_in_hand_stays_hidden_for_as_long_as_it_takes() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    queue.send_batch(&[&message("slow")]).await.unwrap();
    let running = run(&stack, Duration::from_secs(2)).await;
    poll_until("the message to be deleted", LONG, async || {
        (counter(&running.registry, "sqs_consumer_messages_deleted_total") == 1).then_some(())
    })
    .await;
    assert_eq!(running.handler.receives()["slow"], 1);
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    queue.send_batch(&[&message("slow")]).await.unwrap();
    let running = run(&stack, Duration::from_secs(30)).await;
    poll_until("the message to be in hand", LONG, async || {
        running
            .handler
            .receives()
            .contains_key("slow")
            .then_some(())
    })
    .await;
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(8), running.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        stack
            .depth(&stack.resources().data_process_url)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn the_row_travels_in_the_attributes() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    let row = RowId {
        import_id: Uuid::now_v7(),
        row: 42,
    };
    let with_row = Outgoing {
        row: Some(row),
        ..message("done")
    };
    queue
        .send_batch(&[&with_row, &message("bare")])
        .await
        .unwrap();
    let running = run(&stack, Duration::from_secs(30)).await;
    poll_until("both", LONG, async || {
        (running.handler.receives().len() == 2).then_some(())
    })
    .await;
    let seen = running.handler.seen.lock().unwrap();
    let row_of = |body: &str| seen.iter().find(|d| d.body == body).unwrap().row;
    assert_eq!(row_of("done"), Some(row));
    assert_eq!(row_of("bare"), None);
}

#[tokio::test]
async fn a_batch_that_waits_does_not_keep_the_others_waiting() {
    let stack = Stack::start().await;
    let queue = queue(&stack).await;
    let running = run_in_batches(&stack, Duration::from_secs(30), 10, 30).await;
    queue.send_batch(&[&message("stuck")]).await.unwrap();
    poll_until("the stuck message to be in hand", LONG, async || {
        running
            .handler
            .receives()
            .contains_key("stuck")
            .then_some(())
    })
    .await;
    for _ in 0..2 {
        queue.send_batch(&[&message("done")]).await.unwrap();
    }
    poll_until("the others to be handled", LONG, async || {
        (running.handler.receives().get("done") == Some(&2)).then_some(())
    })
    .await;
    running.handler.let_go.cancel();
    running.stop.cancel();
    running.task.await.unwrap();
    assert!(
        stack
            .depth(&stack.resources().data_process_url)
            .await
            .is_empty()
    );
}
