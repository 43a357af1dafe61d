//! Spans of queues and of what is received, in a collector.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::ledger::LedgerSettings;
use common::messaging::{
    BatchHandler, BatchSender, CallError, Consumer, ConsumerMetrics, ConsumerOptions, Delivery,
    Outgoing, Verdict, queue_url,
};
use common::runtime::{TraceContext, current_ids};
use common::service::{BaseSettings, DRAIN, Wiring};
use testkit::{Attribute, CollectedSpan, CollectorMode, RunningService, Stack, TraceCollector};
use testkit::{StoredMessage, poll_until};

const LONG: Duration = Duration::from_secs(20);
const FIRST: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SECOND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const STATE: &str = "vendor=1";

/// Puts what is called `put off` off once, fails at `fail`, and is done with
/// all else. Keeps what it saw, with the trace around it.
#[derive(Clone, Default)]
struct Handler(Arc<Mutex<Vec<Seen>>>);

type Seen = (Delivery, Option<String>);

impl BatchHandler for Handler {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        let around = current_ids().map(|(trace, _)| trace.to_string());
        let verdict = |delivery: &Delivery| {
            self.0
                .lock()
                .unwrap()
                .push((delivery.clone(), around.clone()));
            match &*delivery.body {
                "put off" if delivery.put_off == 0 => Verdict::PutOff(Duration::ZERO),
                "fail" => Verdict::Failed,
                _ => Verdict::Done,
            }
        };
        deliveries.iter().map(verdict).collect()
    }
}

/// A service that consumes `data-process`, with that collector or without
/// traces.
async fn consume(stack: &Stack, collector: Option<&TraceCollector>) -> (RunningService, Handler) {
    let endpoint = collector.map_or_else(String::new, TraceCollector::endpoint_url);
    let further = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    let env = stack.service_environment(&stack.resources().data_process_url, &further);
    let base = BaseSettings::read(&env, "PORT", 0).unwrap();
    let ledger = LedgerSettings::read(&env).unwrap();
    let url = queue_url(&env).unwrap();
    let handler = Handler::default();
    let working = handler.clone();
    let running = RunningService::start(async move |listener, stop| {
        let wiring = Wiring::new("a-service", &base, ledger, &url, stop.clone()).await?;
        let metrics = ConsumerMetrics::new(&wiring.registry)?;
        let options = ConsumerOptions {
            max_messages: 10,
            batch: 10,
            batch_bytes: 1_000,
            long_poll: Duration::from_secs(1),
            concurrency: 1,
            visibility_timeout: Duration::from_secs(30),
            drain: DRAIN,
        };
        let consumer = Consumer::new(wiring.queue.clone(), working, options, metrics, stop);
        wiring.run(listener, DRAIN, |_| consumer.run()).await
    });
    (running.await, handler)
}

async fn send(stack: &Stack, messages: &[(&str, &[(&str, &str)])]) {
    let queue = &stack.resources().data_process_url;
    for (body, attributes) in messages {
        let attributes = attributes
            .iter()
            .map(|(name, value)| (*name, Attribute::Text((*value).to_owned())));
        let sent = stack.queues().send(queue, *body, attributes).await;
        sent.unwrap();
    }
}

async fn is_empty(stack: &Stack) {
    poll_until("the queue to be empty", LONG, async || {
        let depth = stack.depth(&stack.resources().data_process_url).await;
        depth.is_empty().then_some(())
    })
    .await;
}

fn named<'a>(spans: &'a [CollectedSpan], name: &str) -> Vec<&'a CollectedSpan> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn trace_of(parent: &str) -> &str {
    parent.split('-').nth(1).unwrap()
}

fn span_of(parent: &str) -> &str {
    parent.split('-').nth(2).unwrap()
}

#[tokio::test]
async fn a_batch_of_two_imports_is_linked_to_both_and_one_of_one_import_is_part_of_it() {
    let stack = Stack::start().await;
    let (first, second) = ([("traceparent", FIRST)], [("traceparent", SECOND)]);
    send(&stack, &[("a", &first), ("b", &second)]).await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let (service, handler) = consume(&stack, Some(&collector)).await;
    is_empty(&stack).await;
    send(&stack, &[("c", &first)]).await;
    is_empty(&stack).await;
    service.stop().await.unwrap();

    let spans = collector.spans();
    for name in ["receive data-process", "process data-process"] {
        let of_both = named(&spans, name)[0];
        assert_eq!(of_both.parent_id, "");
        let links = [FIRST, SECOND].map(|of| (trace_of(of).to_owned(), span_of(of).to_owned()));
        assert_eq!(of_both.links, links);
        let of_one = named(&spans, name)[1];
        assert_eq!(of_one.trace_id, trace_of(FIRST));
        assert_eq!(of_one.parent_id, span_of(FIRST));
        assert_eq!(of_one.links, []);
    }
    let process = named(&spans, "process data-process")[0];
    let expected = [
        ("messaging.batch.message_count", "2"),
        ("messaging.destination.name", "data-process"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "aws_sqs"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(process.attributes, BTreeMap::from(expected));
    assert_eq!(process.service, "a-service");

    // What is sent for a row stays in the trace of its import.
    let seen = handler.0.lock().unwrap().clone();
    for ((delivery, around), trace) in seen.iter().zip([FIRST, SECOND, FIRST]) {
        let carried: Vec<_> = delivery.trace.as_ref().unwrap().fields().collect();
        assert_eq!(trace_of(&carried[0].1), trace_of(trace));
        let span = match &*delivery.body {
            "c" => &named(&spans, "process data-process")[1].span_id,
            _ => span_of(trace),
        };
        assert_eq!(span_of(&carried[0].1), span);
        let of_span = (delivery.body == "c").then(|| trace_of(FIRST));
        assert_eq!(around.as_deref(), of_span.or(Some(&process.trace_id)));
    }
}

#[tokio::test]
async fn what_is_put_off_comes_back_in_the_same_trace() {
    let stack = Stack::start().await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let (service, handler) = consume(&stack, Some(&collector)).await;
    let attributes = [("traceparent", FIRST), ("tracestate", STATE)];
    send(&stack, &[("put off", &attributes)]).await;
    poll_until("the copy", LONG, async || {
        (handler.0.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    is_empty(&stack).await;
    service.stop().await.unwrap();
    let spans = collector.spans();
    let processed = named(&spans, "process data-process");
    let copied = named(&spans, "send data-process");
    assert_eq!((processed.len(), copied.len()), (2, 1));
    assert!(spans.iter().all(|span| span.trace_id == trace_of(FIRST)));
    assert_eq!(copied[0].parent_id, processed[0].span_id);
    assert_eq!(processed[1].parent_id, copied[0].span_id);
    let seen = handler.0.lock().unwrap().clone();
    let fields: Vec<_> = seen[1].0.trace.as_ref().unwrap().fields().collect();
    assert_eq!(fields[1], ("tracestate", STATE.to_owned()));
}

#[tokio::test]
async fn without_traces_what_came_goes_on_as_it_came_and_nothing_else_is_added() {
    let stack = Stack::start().await;
    let (service, handler) = consume(&stack, None).await;
    let attributes = [("traceparent", FIRST), ("tracestate", STATE)];
    send(&stack, &[("put off", &attributes), ("put off", &[])]).await;
    poll_until("the copies", LONG, async || {
        (handler.0.lock().unwrap().len() == 4).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    let seen = handler.0.lock().unwrap().clone();
    let copies = seen.iter().filter(|(delivery, _)| delivery.put_off == 1);
    let mut traces: Vec<Vec<_>> = copies
        .map(|(delivery, around)| {
            assert_eq!(*around, None);
            let trace = delivery.trace.iter().flat_map(TraceContext::fields);
            trace.map(|(_, value)| value).collect()
        })
        .collect();
    traces.sort();
    assert_eq!(traces, [vec![], vec![FIRST.to_owned(), STATE.to_owned()]]);
}

#[tokio::test]
async fn an_envelope_carries_the_trace_inside_and_a_failure_is_told() {
    let stack = Stack::start().await;
    let envelope = format!(
        r#"{{"Type":"Notification","Message":"{{}}","MessageAttributes":{{"traceparent":{{"Type":"String","Value":"{FIRST}"}}}}}}"#
    );
    send(&stack, &[(&envelope, &[])]).await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let (service, handler) = consume(&stack, Some(&collector)).await;
    is_empty(&stack).await;
    send(&stack, &[("fail", &[])]).await;
    poll_until("the failure", LONG, async || {
        (handler.0.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    let spans = collector.spans();
    let processed = named(&spans, "process data-process");
    assert_eq!(processed[0].trace_id, trace_of(FIRST));
    assert!(!processed[0].failed);
    // Of no trace before.
    assert!(processed[1].failed && processed[1].parent_id.is_empty());
    assert_eq!(processed[1].attributes["error.type"], "failed");
}

#[tokio::test]
async fn a_call_that_sends_is_a_span_that_its_messages_name_and_its_failure_is_told() {
    let stack = Stack::start().await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let url = stack.resources().data_process_url.clone();
    let endpoint = collector.endpoint_url();
    let further = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    let env = stack.service_environment(&url, &further);
    let base = BaseSettings::read(&env, "PORT", 0).unwrap();
    let ledger = LedgerSettings::read(&env).unwrap();
    let service = RunningService::start(async move |listener, stop| {
        let url = queue_url(&env).unwrap();
        let wiring = Wiring::new("a-service", &base, ledger, &url, stop.clone()).await?;
        let (queue, gone) = (wiring.queue.clone(), format!("{url}-gone").parse().unwrap());
        let gone = wiring.aws.queue(&gone)?;
        let messages = [FIRST, FIRST, SECOND].map(|of| Outgoing {
            body: of.to_owned(),
            row: None,
            columns: None,
            event_type: None,
            trace: TraceContext::read(|name| (name == "traceparent").then_some(of)),
        });
        let [first, same, other] = messages.each_ref();
        queue.send_batch(&[first, same]).await.unwrap();
        queue.send_batch(&[first, other]).await.unwrap();
        let refused: CallError = gone.send_batch(&[first]).await.unwrap_err();
        assert!(refused.to_string().contains("NonExistent"), "{refused}");
        let work = async |_| {
            stop.cancelled().await;
            Ok(())
        };
        wiring.run(listener, DRAIN, work).await
    })
    .await;
    poll_until("the messages", LONG, async || {
        (stack.depth(&url).await.visible == 4).then_some(())
    })
    .await;
    service.stop().await.unwrap();

    let spans = collector.spans();
    let sent = named(&spans, "send data-process");
    assert_eq!(sent[0].parent_id, span_of(FIRST));
    assert_eq!((&*sent[1].parent_id, sent[1].links.len()), ("", 2));
    let failed = named(&spans, "send data-process-gone")[0];
    assert!(failed.failed && failed.attributes["error.type"].contains("NonExistent"));
    let mut carried: Vec<(String, String)> = stack
        .take_all(&url)
        .await
        .into_iter()
        .map(
            |StoredMessage {
                 body, attributes, ..
             }| (body, attributes["traceparent"].clone()),
        )
        .collect();
    carried.sort();
    let by_first_call = FIRST.replace(span_of(FIRST), &sent[0].span_id);
    // Of a call for several traces each message stays in its own.
    let mut expected = [
        (FIRST.to_owned(), by_first_call.clone()),
        (FIRST.to_owned(), by_first_call),
        (FIRST.to_owned(), FIRST.to_owned()),
        (SECOND.to_owned(), SECOND.to_owned()),
    ];
    expected.sort();
    assert_eq!(carried, expected);
}
