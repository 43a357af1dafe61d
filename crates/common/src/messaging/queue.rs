use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};

use super::age::{ReceivedAges, waits_since};
use super::delivery::{Receipt, Received, take_apart};
use super::entry::{incomplete, outcomes};
use super::{BatchSender, CallError, EntryOutcome, Outgoing};
use crate::contract::names;
use crate::outage::{Dependency, Outage};

/// The attributes that the suite gives its messages: all of them go with a
/// copy. A message has ten at most.
const ATTRIBUTES: [&str; 5] = [
    names::IMPORT_ID,
    names::ROW,
    names::EVENT_TYPE,
    names::PUT_OFF,
    names::NOT_BEFORE,
];

/// An SQS queue. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) calls: Client,
    pub(super) receives: Client,
    pub(super) url: String,
    /// What receives tell of its age (see `watch`).
    pub(super) received: ReceivedAges,
    outage: Outage,
}

impl Queue {
    pub(super) fn new(calls: Client, receives: Client, url: String) -> Self {
        Self {
            calls,
            receives,
            url,
            received: ReceivedAges::default(),
            outage: Outage::new("SQS"),
        }
    }

    /// Another queue, over the same connections.
    pub(super) fn sibling(&self, url: String) -> Self {
        Self::new(self.calls.clone(), self.receives.clone(), url)
    }

    /// The queue's name: the end of its URL.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Receives up to `most` messages, waiting up to `wait` for the first
    /// one. They stay hidden for `visibility`.
    pub(super) async fn receive(
        &self,
        most: i32,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Received>, CallError> {
        let received = self
            .receives
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(most)
            .wait_time_seconds(whole_seconds(wait))
            .visibility_timeout(whole_seconds(visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .set_message_attribute_names(Some(ATTRIBUTES.map(str::to_owned).into()))
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        let messages = received.messages.unwrap_or_default();
        let ages = messages.iter().filter_map(waits_since);
        self.received.note(ages);
        Ok(messages.into_iter().map(take_apart).collect())
    }

    /// Deletes up to ten messages; an outcome for each, in their order.
    pub(super) async fn delete(
        &self,
        receipts: &[&Receipt],
    ) -> Result<Vec<EntryOutcome>, CallError> {
        let mut call = self.calls.delete_message_batch().queue_url(&self.url);
        for (index, receipt) in receipts.iter().enumerate() {
            call = call.entries(
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&receipt.handle)
                    .build()
                    .map_err(incomplete)?,
            );
        }
        let answer = call
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        Ok(failures(receipts.len(), answer.failed()))
    }

    /// Sets for how long up to ten messages stay hidden from now on; an
    /// outcome for each, in their order.
    pub(super) async fn change_visibility(
        &self,
        receipts: &[(&Receipt, Duration)],
    ) -> Result<Vec<EntryOutcome>, CallError> {
        let mut call = self
            .calls
            .change_message_visibility_batch()
            .queue_url(&self.url);
        for (index, (receipt, hidden)) in receipts.iter().enumerate() {
            call = call.entries(
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&receipt.handle)
                    .visibility_timeout(whole_seconds(*hidden))
                    .build()
                    .map_err(incomplete)?,
            );
        }
        let answer = call
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        Ok(failures(receipts.len(), answer.failed()))
    }
}

impl Dependency for Queue {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl BatchSender for Queue {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let mut call = self.calls.send_message_batch().queue_url(&self.url);
        for (index, entry) in entries.iter().enumerate() {
            let mut request = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(&entry.body);
            for (name, kind, value) in entry.attributes() {
                let attribute = MessageAttributeValue::builder()
                    .data_type(kind)
                    .string_value(value)
                    .build();
                request = request.message_attributes(name, attribute.map_err(incomplete)?);
            }
            call = call.entries(request.build().map_err(incomplete)?);
        }
        let answer = call
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        Ok(failures(entries.len(), answer.failed()))
    }
}

pub(super) fn failures(entries: usize, failed: &[BatchResultErrorEntry]) -> Vec<EntryOutcome> {
    outcomes(
        entries,
        failed.iter().map(|error| {
            let message = error.message.as_deref();
            let outcome = EntryOutcome::from_fault(error.sender_fault, &error.code, message);
            (error.id.as_str(), outcome)
        }),
    )
}

pub(super) fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
