//! The calls of SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};

use super::call::Calls;
use super::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};
use crate::messaging::CallError;
use crate::messaging::entry::FailedEntry;

pub(in crate::messaging) use aws_sdk_sqs::types::Message;

/// Longest long poll that SQS knows.
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// The operations that a service calls.
pub(super) const OPERATIONS: [&str; 6] = [
    SEND,
    DELETE,
    CHANGE_VISIBILITY,
    RECEIVE,
    QUEUE_URL,
    QUEUE_ATTRIBUTES,
];
const SEND: &str = "SendMessageBatch";
const DELETE: &str = "DeleteMessageBatch";
const CHANGE_VISIBILITY: &str = "ChangeMessageVisibilityBatch";
const RECEIVE: &str = "ReceiveMessage";
const QUEUE_URL: &str = "GetQueueUrl";
const QUEUE_ATTRIBUTES: &str = "GetQueueAttributes";

/// Message attributes by their names.
pub(in crate::messaging) type Attributes = HashMap<String, MessageAttributeValue>;

/// What a receive asks for; both times in seconds.
pub(in crate::messaging) struct Receive<'a> {
    pub(in crate::messaging) most: i32,
    pub(in crate::messaging) wait: i32,
    pub(in crate::messaging) visibility: i32,
    /// Names of message attributes.
    pub(in crate::messaging) attributes: &'a [&'a str],
}

/// Calls of SQS. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Sqs {
    client: Client,
    /// The same one with more patience: a receive may wait for messages.
    receiver: Client,
    calls: Calls,
}

impl Sqs {
    pub(super) fn new(calls: Calls, config: Builder, endpoint: Option<String>) -> Self {
        let mut config = config;
        config.set_endpoint_url(endpoint);
        let patience = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(LONGEST_POLL + ATTEMPT_TIMEOUT);
        let receiver = config.clone().timeout_config(patience.build());
        Self {
            client: Client::from_conf(config.build()),
            receiver: Client::from_conf(receiver.build()),
            calls,
        }
    }

    /// `SendMessageBatch`: gives the entries that SQS did not take.
    pub(in crate::messaging) async fn send(
        &self,
        queue_url: &str,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<Vec<FailedEntry>, CallError> {
        let request = self.client.send_message_batch().queue_url(queue_url);
        let call = request.set_entries(Some(entries)).send();
        let answer = self.calls.make(SEND, call).await?;
        Ok(answer.failed.into_iter().map(Into::into).collect())
    }

    /// `DeleteMessageBatch`: gives the entries that were not deleted.
    pub(in crate::messaging) async fn delete(
        &self,
        queue_url: &str,
        handles: impl Iterator<Item = &str>,
    ) -> Result<Vec<FailedEntry>, CallError> {
        let entries = handles.enumerate().map(|(place, handle)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(handle)
                .build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(unbuilt)?;
        let request = self.client.delete_message_batch().queue_url(queue_url);
        let call = request.set_entries(Some(entries)).send();
        let answer = self.calls.make(DELETE, call).await?;
        Ok(answer.failed.into_iter().map(Into::into).collect())
    }

    /// `ChangeMessageVisibilityBatch`, with the seconds for each handle: gives
    /// the entries that were not changed.
    pub(in crate::messaging) async fn change_visibility(
        &self,
        queue_url: &str,
        handles: impl Iterator<Item = (&str, i32)>,
    ) -> Result<Vec<FailedEntry>, CallError> {
        let entries = handles.enumerate().map(|(place, (handle, seconds))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(handle)
                .visibility_timeout(seconds)
                .build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(unbuilt)?;
        let request = self.client.change_message_visibility_batch();
        let request = request.queue_url(queue_url).set_entries(Some(entries));
        let answer = self.calls.make(CHANGE_VISIBILITY, request.send()).await?;
        Ok(answer.failed.into_iter().map(Into::into).collect())
    }

    /// `ReceiveMessage`, with the receive count and the time of sending.
    pub(in crate::messaging) async fn receive(
        &self,
        queue_url: &str,
        receive: &Receive<'_>,
    ) -> Result<Vec<Message>, CallError> {
        let names = receive.attributes.iter().map(|name| (*name).to_owned());
        let request = self
            .receiver
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(receive.most)
            .wait_time_seconds(receive.wait)
            .visibility_timeout(receive.visibility)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .set_message_attribute_names(Some(names.collect()));
        let answer = self.calls.make(RECEIVE, request.send()).await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// `GetQueueUrl`, in the account of the credentials.
    pub(in crate::messaging) async fn queue_url(&self, name: &str) -> Result<String, CallError> {
        let request = self.client.get_queue_url().queue_name(name);
        let answer = self.calls.make(QUEUE_URL, request.send()).await?;
        let url = answer.queue_url;
        url.ok_or_else(|| CallError::new(format!("{QUEUE_URL} names no URL for {name}")))
    }

    /// `GetQueueAttributes`: those of these that the queue has.
    pub(in crate::messaging) async fn attributes(
        &self,
        queue_url: &str,
        names: &[&str],
    ) -> Result<HashMap<String, String>, CallError> {
        let names = names.iter().map(|name| QueueAttributeName::from(*name));
        let request = self.client.get_queue_attributes().queue_url(queue_url);
        let request = request.set_attribute_names(Some(names.collect()));
        let answer = self.calls.make(QUEUE_ATTRIBUTES, request.send()).await?;
        let attributes = answer.attributes.unwrap_or_default().into_iter();
        Ok(attributes
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect())
    }
}

impl From<BatchResultErrorEntry> for FailedEntry {
    fn from(entry: BatchResultErrorEntry) -> Self {
        Self {
            id: entry.id,
            code: entry.code,
            message: entry.message,
        }
    }
}

/// An entry of `SendMessageBatch`; the delay is in seconds.
pub(in crate::messaging) fn send_entry(
    place: usize,
    body: &str,
    attributes: Attributes,
    delay: Option<i32>,
) -> Result<SendMessageBatchRequestEntry, CallError> {
    SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_body(body)
        .set_message_attributes(Some(attributes))
        .set_delay_seconds(delay)
        .build()
        .map_err(unbuilt)
}

/// An attribute that is a text or a number.
pub(in crate::messaging) fn attribute(
    kind: &str,
    value: &str,
) -> Result<MessageAttributeValue, CallError> {
    let attribute = MessageAttributeValue::builder();
    let attribute = attribute.data_type(kind).string_value(value).build();
    attribute.map_err(unbuilt)
}

/// The text of an attribute.
pub(in crate::messaging) fn text_attribute<'a>(
    attributes: &'a Attributes,
    name: &str,
) -> Option<&'a str> {
    attributes.get(name)?.string_value()
}

/// Bytes that SQS counts of attributes: name, type and value of each.
pub(in crate::messaging) fn size_of(attributes: &Attributes) -> usize {
    let sizes = attributes.iter().map(|(name, value)| {
        let text = value.string_value().map_or(0, str::len);
        let binary = value.binary_value().map_or(0, |bytes| bytes.as_ref().len());
        name.len() + value.data_type().len() + text + binary
    });
    sizes.sum()
}

/// How often a message was received, this time included.
pub(in crate::messaging) fn receive_count(message: &Message) -> Option<u32> {
    let name = MessageSystemAttributeName::ApproximateReceiveCount;
    message.attributes()?.get(&name)?.parse().ok()
}

/// When a message was sent.
pub(in crate::messaging) fn sent_at(message: &Message) -> Option<SystemTime> {
    let name = MessageSystemAttributeName::SentTimestamp;
    let milliseconds = message.attributes()?.get(&name)?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// Something that SQS requires is missing: a fault of the program.
#[expect(clippy::needless_pass_by_value, reason = "the form of `map_err`")]
fn unbuilt(error: BuildError) -> CallError {
    CallError::new(error.to_string())
}
