//! The gauges of a queue and of its dead letters.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::convert::Infallible;
use std::time::Duration;

use common::messaging::{
    Aws, BatchHandler, Consumer, ConsumerMetrics, ConsumerOptions, Delivery, QueueGauges,
    QueueWatch, Verdict,
};
use common::runtime::AppRegistry;
use common::service::{BaseSettings, DRAIN};
use testkit::{Stack, poll_until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(20);

/// Keeps every message waiting.
struct NotYet;

impl BatchHandler for NotYet {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        vec![Verdict::Later(Duration::from_mins(1)); deliveries.len()]
    }
}

fn gauge(registry: &AppRegistry, sample: &str) -> Option<u64> {
    let text = registry.render().unwrap();
    let line = text.lines().find(|line| line.starts_with(sample))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn messages(queue: &str, state: &str) -> String {
    format!("sqs_queue_messages{{queue=\"{queue}\",state=\"{state}\",app=\"test\"}}")
}

fn age(queue: &str) -> String {
    format!("sqs_queue_oldest_message_age_seconds{{queue=\"{queue}\",app=\"test\"}}")
}

/// The gauges of a queue that is looked at again and again.
async fn watched(stack: &Stack, url: &str) -> (AppRegistry, JoinHandle<Infallible>) {
    let environment = stack.service_environment(url, &[]);
    let settings = BaseSettings::read(&environment, "PORT", 0).unwrap();
    let aws = Aws::new(&settings.aws).await;
    let queue = aws.queue(&url.parse().unwrap()).unwrap();
    let registry = AppRegistry::new("test").unwrap();
    let watch = QueueWatch::new(queue, QueueGauges::new(&registry).unwrap());
    let watching = tokio::spawn(watch.every(Duration::from_millis(20)).run());
    (registry, watching)
}

#[tokio::test]
async fn the_gauges_show_depth_and_age_and_use_up_no_receive() {
    let stack = Stack::start().await;
    let resources = stack.resources();
    let work = resources.data_process_url.clone();
    let letters = resources.data_process_dlq_url.clone();
    for url in [&work, &work, &letters] {
        stack.queues().send(url, "a message", []).await.unwrap();
    }
    let settings = BaseSettings::read(&stack.service_environment(&work, &[]), "PORT", 0).unwrap();
    let aws = Aws::new(&settings.aws).await;
    let queue = aws.queue(&work.parse().unwrap()).unwrap();
    let registry = AppRegistry::new("test").unwrap();
    let gauges = QueueGauges::new(&registry).unwrap();
    let watch = QueueWatch::new(queue.clone(), gauges).every(Duration::from_millis(50));
    let of = |sample: String| gauge(&registry, &sample);
    assert_eq!(of(messages("data-process", "visible")), Some(0));
    let watching = tokio::spawn(watch.run());

    poll_until("what waits to be seen", LONG, async || {
        let visible = |queue| of(messages(queue, "visible"));
        (visible("data-process") == Some(2) && visible("data-process-dlq") == Some(1)).then_some(())
    })
    .await;
    poll_until("the dead letter to age", LONG, async || {
        (of(age("data-process-dlq"))? >= 1).then_some(())
    })
    .await;
    let left = stack.depth(&letters).await;
    assert_eq!(left.total(), 1, "it was only looked at");

    // A receive tells how old they are.
    let stop = CancellationToken::new();
    let options = ConsumerOptions {
        max_messages: 10,
        batch: 10,
        batch_bytes: usize::MAX,
        long_poll: Duration::from_secs(1),
        concurrency: 1,
        visibility_timeout: Duration::from_secs(30),
        drain: DRAIN,
    };
    let metrics = ConsumerMetrics::new(&registry).unwrap();
    let consumer = Consumer::new(queue, NotYet, options, metrics, stop.clone());
    let consuming = tokio::spawn(consumer.run());
    poll_until(
        "what is in flight to be seen, and its age",
        LONG,
        async || {
            let in_flight = of(messages("data-process", "in_flight"))?;
            (in_flight == 2 && of(age("data-process"))? >= 2).then_some(())
        },
    )
    .await;
    stop.cancel();
    consuming.await.unwrap().unwrap();

    stack.queues().purge(&work).await.unwrap();
    stack.queues().purge(&letters).await.unwrap();
    poll_until("nothing to be left", LONG, async || {
        let left = [
            messages("data-process", "in_flight"),
            messages("data-process-dlq", "visible"),
            age("data-process"),
            age("data-process-dlq"),
        ];
        left.into_iter()
            .all(|sample| of(sample) == Some(0))
            .then_some(())
    })
    .await;
    watching.abort();
}

#[tokio::test]
async fn what_is_put_off_has_a_state_of_its_own_and_is_not_late() {
    let stack = Stack::start().await;
    let work = stack.resources().data_process_url.clone();
    let delayed = stack.queues().client().send_message();
    let delayed = delayed.message_body("a message").delay_seconds(2);
    delayed.queue_url(&work).send().await.unwrap();
    let (registry, watching) = watched(&stack, &work).await;
    let of = |sample: String| gauge(&registry, &sample);
    let mut late = 0;
    poll_until("it to be seen delayed", LONG, async || {
        (of(messages("data-process", "delayed"))? == 1).then_some(())
    })
    .await;
    poll_until("it to come", LONG, async || {
        late = late.max(of(age("data-process"))?);
        (of(messages("data-process", "visible"))? == 1).then_some(())
    })
    .await;
    assert_eq!(late, 0);
    assert_eq!(of(messages("data-process", "delayed")), Some(0));
    poll_until("its age since then", LONG, async || {
        (of(age("data-process"))? >= 1).then_some(())
    })
    .await;
    watching.abort();
}

#[tokio::test]
async fn a_look_leaves_the_receive_counts_of_the_work_queue_alone() {
    let stack = Stack::start().await;
    let work = stack.resources().data_process_url.clone();
    stack.queues().send(&work, "a message", []).await.unwrap();
    let (registry, watching) = watched(&stack, &work).await;
    poll_until("an age without a receive", LONG, async || {
        (gauge(&registry, &age("data-process"))? >= 1).then_some(())
    })
    .await;
    watching.abort();
    assert_eq!(stack.take_all(&work).await[0].receive_count, 1);
}
