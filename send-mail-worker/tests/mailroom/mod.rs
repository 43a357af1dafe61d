//! A send-mail-worker on a stack of its own, and messages for it.

#![allow(dead_code, reason = "not every test needs all of it")]

mod memory_transport;

use std::time::Duration;

use contract::RowId;
use send_mail_worker::Settings;
use send_mail_worker::patience::Patience;
use serde_json::json;
use testkit::{Attribute, RunningService, Stack, poll_until};

pub(crate) use memory_transport::MemoryTransport;

pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn settings(stack: &Stack) -> Settings {
    let queue = &stack.resources().process_email_url;
    Settings::read(&stack.service_environment(queue, &[])).unwrap()
}

pub(crate) async fn start(stack: &Stack) -> (RunningService, MemoryTransport) {
    let transport = MemoryTransport::default();
    let service = start_with(stack, &transport, Patience::default()).await;
    (service, transport)
}

pub(crate) async fn start_with(
    stack: &Stack,
    transport: &MemoryTransport,
    patience: Patience,
) -> RunningService {
    let (settings, transport) = (settings(stack), transport.clone());
    RunningService::start(|listener, stop| {
        send_mail_worker::run_over(settings, patience, |_| Ok(transport), listener, stop)
    })
    .await
}

pub(crate) fn notification(debt_id: &str) -> String {
    let notification = testkit::billed(debt_id, 1);
    serde_json::to_string(&notification).unwrap()
}

pub(crate) fn attributes(row: RowId) -> [(&'static str, Attribute); 3] {
    [
        ("event_type", Attribute::Text("billing.issued".into())),
        ("import_id", Attribute::Text(row.import_id.to_string())),
        ("row", Attribute::Number(row.row)),
    ]
}

/// Through the topic, which delivers raw: the queue gets the notification itself.
pub(crate) async fn publish(stack: &Stack, debt_id: &str, row: RowId) {
    let topic = &stack.resources().topic_arn;
    let body = notification(debt_id);
    let published = stack.queues().publish(topic, &body, attributes(row));
    published.await.unwrap();
}

/// The same, straight into the queue.
pub(crate) async fn deliver_raw(stack: &Stack, debt_id: &str, row: RowId) {
    let queue = &stack.resources().process_email_url;
    let sent = stack
        .queues()
        .send(queue, notification(debt_id), attributes(row));
    sent.await.unwrap();
}

/// As a subscription without raw delivery does: in the SNS envelope, attributes included.
pub(crate) async fn deliver_in_envelope(stack: &Stack, debt_id: &str, row: RowId) {
    let queue = &stack.resources().process_email_url;
    let envelope = json!({
        "Type": "Notification",
        "TopicArn": stack.resources().topic_arn,
        "Message": notification(debt_id),
        "MessageAttributes": {
            "event_type": {"Type": "String", "Value": "billing.issued"},
            "import_id": {"Type": "String", "Value": row.import_id},
            "row": {"Type": "Number", "Value": row.row.to_string()},
        },
    });
    let sent = stack.queues().send(queue, envelope.to_string(), []);
    sent.await.unwrap();
}

pub(crate) async fn deleted(service: &RunningService, messages: u64) {
    poll_until("the messages to be deleted", LONG, async || {
        let deleted = service.metric("sqs_consumer_messages_deleted_total").await;
        (deleted == messages).then_some(())
    })
    .await;
}
