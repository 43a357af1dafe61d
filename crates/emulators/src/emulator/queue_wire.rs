//! What SQS reads and writes
//! (AWS JSON 1.0: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>).

use std::time::Duration;

use compact_str::CompactString;
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use uuid::Uuid;

use super::{
    ACCOUNT_ID, message::Attributes, queue::Received, queue_error::QueueError,
    queue_settings::QueueAttributes,
};

/// The queue that a request is about.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct OfQueue {
    pub(super) queue_url: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    pub(super) attributes: QueueAttributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListQueues {
    pub(super) queue_name_prefix: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetQueueAttributes {
    pub(super) attribute_names: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    /// The older name of the next one.
    pub(super) attribute_names: Vec<CompactString>,
    pub(super) message_system_attribute_names: Vec<CompactString>,
    pub(super) message_attribute_names: Vec<CompactString>,
}

/// The entries of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<E>,
}

/// An entry of a batch, or the same without a batch: then it has no id.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendEntry {
    pub(super) id: CompactString,
    pub(super) message_body: String,
    pub(super) message_attributes: Attributes,
    pub(super) delay_seconds: Option<i64>,
    pub(super) message_group_id: Option<String>,
    pub(super) message_deduplication_id: Option<String>,
}

/// An entry of a batch, or the same without a batch.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DeleteEntry {
    pub(super) id: CompactString,
    pub(super) receipt_handle: String,
}

/// An entry of a batch, or the same without a batch.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct VisibilityEntry {
    pub(super) id: CompactString,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: Option<i64>,
}

/// What has an id of its own in a batch.
pub(super) trait BatchEntry {
    fn id(&self) -> &str;
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl<'a> {
    pub(super) queue_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrls {
    pub(super) queue_urls: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesAnswer {
    pub(super) attributes: QueueAttributes,
}

/// The answer to a `SendMessage`, and to an entry of a batch.
#[derive(Serialize)]
pub(super) struct Sent {
    #[serde(rename = "Id", skip_serializing_if = "CompactString::is_empty")]
    pub(super) id: CompactString,
    #[serde(rename = "MessageId")]
    pub(super) message_id: Uuid,
    #[serde(rename = "MD5OfMessageBody")]
    pub(super) md5_of_body: String,
}

/// The answer to an entry of another batch.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    pub(super) id: CompactString,
}

/// An entry that failed. The fault is always the sender's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FailedEntry {
    id: CompactString,
    code: &'static str,
    message: String,
    sender_fault: bool,
}

/// The answer to a batch.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchAnswer<S> {
    pub(super) successful: Vec<S>,
    pub(super) failed: Vec<FailedEntry>,
}

/// The answer to a receive.
pub(super) struct ReceiveAnswer<'a> {
    pub(super) received: &'a [Received],
    pub(super) request: &'a ReceiveMessage,
}

/// One of its messages.
struct ReceivedMessage<'a> {
    received: &'a Received,
    request: &'a ReceiveMessage,
}

/// The system attributes that are asked for.
struct SystemAttributes<'a>(&'a ReceivedMessage<'a>);

/// The message attributes that are asked for.
struct ChosenAttributes<'a>(&'a ReceivedMessage<'a>);

impl BatchEntry for SendEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl BatchEntry for DeleteEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl BatchEntry for VisibilityEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl FailedEntry {
    pub(super) fn new(id: CompactString, error: QueueError) -> Self {
        Self {
            id,
            code: error.code.query(),
            message: error.message,
            sender_fault: true,
        }
    }
}

impl ReceiveMessage {
    fn wants_system_attribute(&self, name: &str) -> bool {
        let names = self.message_system_attribute_names.iter();
        let mut names = names.chain(&self.attribute_names);
        names.any(|wanted| wanted == name || wanted == "All")
    }

    /// By its name, by the start of it (`start.*`), or because all are wanted.
    fn wants_attribute(&self, name: &str) -> bool {
        self.message_attribute_names.iter().any(|wanted| {
            let start = wanted.strip_suffix(".*");
            wanted == name || wanted == "All" || start.is_some_and(|start| name.starts_with(start))
        })
    }
}

impl ReceiveAnswer<'_> {
    /// In bytes, as a JSON body is written in JSON: rather too large than grown while it is written.
    pub(super) fn likely_size(&self) -> usize {
        let messages = self.received.iter();
        let sizes = messages.map(|received| 512 + received.held.message.size() * 5 / 4);
        sizes.sum::<usize>() + 64
    }
}

impl Serialize for ReceiveAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        // Without a message SQS answers with an empty object.
        if !self.received.is_empty() {
            answer.serialize_entry("Messages", &Messages(self))?;
        }
        answer.end()
    }
}

/// All of its messages.
struct Messages<'a>(&'a ReceiveAnswer<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ReceiveAnswer { received, request }) = self;
        let mut messages = serializer.serialize_seq(Some(received.len()))?;
        for received in *received {
            messages.serialize_element(&ReceivedMessage { received, request })?;
        }
        messages.end()
    }
}

impl Serialize for ReceivedMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = &self.received.held;
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("MessageId", &held.message.id)?;
        answer.serialize_entry("ReceiptHandle", &AsText(&self.received.handle))?;
        answer.serialize_entry("Body", &held.message.body)?;
        let request = self.request;
        let system = (
            &request.message_system_attribute_names,
            &request.attribute_names,
        );
        if !(system.0.is_empty() && system.1.is_empty()) {
            answer.serialize_entry("Attributes", &SystemAttributes(self))?;
        }
        let mut names = held.message.attributes.keys();
        if names.any(|name| request.wants_attribute(name)) {
            answer.serialize_entry("MessageAttributes", &ChosenAttributes(self))?;
        }
        answer.end()
    }
}

impl Serialize for SystemAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ReceivedMessage { received, request } = self.0;
        let held = &received.held;
        let mut attributes = serializer.serialize_map(None)?;
        if request.wants_system_attribute("SenderId") {
            attributes.serialize_entry("SenderId", ACCOUNT_ID)?;
        }
        if request.wants_system_attribute("SentTimestamp") {
            attributes.serialize_entry("SentTimestamp", &AsText(held.message.sent_at))?;
        }
        if request.wants_system_attribute("ApproximateReceiveCount") {
            attributes.serialize_entry("ApproximateReceiveCount", &AsText(held.receive_count))?;
        }
        if let Some(time) = held.first_received_at
            && request.wants_system_attribute("ApproximateFirstReceiveTimestamp")
        {
            attributes.serialize_entry("ApproximateFirstReceiveTimestamp", &AsText(time))?;
        }
        if let Some(arn) = &held.source_arn
            && request.wants_system_attribute("DeadLetterQueueSourceArn")
        {
            attributes.serialize_entry("DeadLetterQueueSourceArn", &**arn)?;
        }
        attributes.end()
    }
}

impl Serialize for ChosenAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ReceivedMessage { received, request } = self.0;
        let attributes = received.held.message.attributes.iter();
        serializer.collect_map(attributes.filter(|(name, _)| request.wants_attribute(name)))
    }
}

/// Written as text.
struct AsText<T>(T);

impl<T: std::fmt::Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A number of seconds that a request names, if it names one.
pub(super) fn seconds(
    parameter: &str,
    value: Option<i64>,
    most: u64,
) -> Result<Option<Duration>, QueueError> {
    let Some(value) = value else {
        return Ok(None);
    };
    match u64::try_from(value) {
        Ok(seconds) if seconds <= most => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(QueueError::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: Must be >= 0 and <= \
             {most}, if provided."
        ))),
    }
}
