//! SQS over AWS JSON: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use compact_str::CompactString;
use litemap::LiteMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use super::client::{ATTEMPT_TIMEOUT, Answer, Call, Client};
use crate::messaging::CallError;

/// A receive may wait that much longer than its long poll.
const RECEIVE_MARGIN: Duration = Duration::from_secs(10);

/// The interface, as the header of a call names it before the operation.
const INTERFACE: &str = "AmazonSQS.";

/// The operations that a service calls.
pub(super) const OPERATIONS: [&str; 6] = [
    "SendMessageBatch",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
    "ReceiveMessage",
    "GetQueueUrl",
    "GetQueueAttributes",
];

/// Bytes that most requests have room in.
const TYPICAL_BODY: usize = 4 * 1024;

/// Calls of SQS. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Sqs(Client);

/// A message attribute. The value is text, also that of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct Attribute {
    pub(in crate::messaging) data_type: CompactString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::messaging) string_value: Option<CompactString>,
    /// In base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

impl Attribute {
    /// A text or a number.
    pub(in crate::messaging) fn new(data_type: &'static str, value: CompactString) -> Self {
        Self {
            data_type: CompactString::const_new(data_type),
            string_value: Some(value),
            binary_value: None,
        }
    }

    /// Bytes that SQS counts: type and value.
    pub(in crate::messaging) fn size(&self) -> usize {
        let text = self.string_value.as_ref().map_or(0, CompactString::len);
        // Four letters of base 64 are three bytes; with padding one or two fewer.
        let binary = self
            .binary_value
            .as_ref()
            .map_or(0, |text| text.len() / 4 * 3);
        self.data_type.len() + text + binary
    }
}

/// Message attributes by their names: a handful of short texts, so they are in
/// one piece of memory.
pub(in crate::messaging) type Attributes = LiteMap<CompactString, Attribute>;

/// An entry of `SendMessageBatch`. Entries are known by their place.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct SendEntry<'a, A> {
    #[serde(serialize_with = "as_text")]
    pub(in crate::messaging) id: usize,
    pub(in crate::messaging) message_body: &'a str,
    /// A map of [`Attribute`]s.
    pub(in crate::messaging) message_attributes: A,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::messaging) delay_seconds: Option<u32>,
}

/// An entry of `DeleteMessageBatch`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct DeleteEntry<'a> {
    #[serde(serialize_with = "as_text")]
    pub(in crate::messaging) id: usize,
    pub(in crate::messaging) receipt_handle: &'a str,
}

/// An entry of `ChangeMessageVisibilityBatch`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct VisibilityEntry<'a> {
    #[serde(serialize_with = "as_text")]
    pub(in crate::messaging) id: usize,
    pub(in crate::messaging) receipt_handle: &'a str,
    pub(in crate::messaging) visibility_timeout: u32,
}

/// What a receive asks for; both times in seconds.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct Receive<'a> {
    pub(in crate::messaging) max_number_of_messages: usize,
    pub(in crate::messaging) wait_time_seconds: u32,
    pub(in crate::messaging) visibility_timeout: u32,
    /// Names of message attributes.
    pub(in crate::messaging) message_attribute_names: &'a [&'a str],
}

/// A received message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "they are those of SQS")]
pub(in crate::messaging) struct Message {
    pub(in crate::messaging) message_id: String,
    pub(in crate::messaging) receipt_handle: String,
    pub(in crate::messaging) body: String,
    pub(in crate::messaging) attributes: SystemAttributes,
    pub(in crate::messaging) message_attributes: Attributes,
}

/// What SQS itself says of a message, as text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::messaging) struct SystemAttributes {
    pub(in crate::messaging) approximate_receive_count: Option<String>,
    /// Unix milliseconds.
    pub(in crate::messaging) sent_timestamp: Option<String>,
}

/// An entry that a batch call did not take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::messaging) struct FailedEntry {
    pub(in crate::messaging) id: String,
    pub(in crate::messaging) code: String,
    #[serde(default)]
    pub(in crate::messaging) message: Option<String>,
    #[serde(default)]
    pub(in crate::messaging) sender_fault: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a, E> {
    queue_url: &'a str,
    entries: &'a [E],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer {
    #[serde(default)]
    failed: Vec<FailedEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveFrom<'a> {
    queue_url: &'a str,
    /// What [`SystemAttributes`] has.
    message_system_attribute_names: [&'static str; 2],
    #[serde(flatten)]
    receive: &'a Receive<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveAnswer {
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueUrl<'a> {
    queue_name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrlAnswer {
    queue_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributes<'a> {
    queue_url: &'a str,
    attribute_names: &'a [&'a str],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributesAnswer {
    #[serde(default)]
    attributes: HashMap<String, String>,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Sqs {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// `SendMessageBatch`: gives the entries that SQS did not take.
    pub(in crate::messaging) async fn send<A: Serialize>(
        &self,
        queue_url: &str,
        entries: &[SendEntry<'_, A>],
    ) -> Result<Vec<FailedEntry>, CallError> {
        let batch = Batch { queue_url, entries };
        let answer: BatchAnswer = self.call("AmazonSQS.SendMessageBatch", &batch).await?;
        Ok(answer.failed)
    }

    /// `DeleteMessageBatch`: gives the entries that were not deleted.
    pub(in crate::messaging) async fn delete(
        &self,
        queue_url: &str,
        entries: &[DeleteEntry<'_>],
    ) -> Result<Vec<FailedEntry>, CallError> {
        let batch = Batch { queue_url, entries };
        let answer: BatchAnswer = self.call("AmazonSQS.DeleteMessageBatch", &batch).await?;
        Ok(answer.failed)
    }

    /// `ChangeMessageVisibilityBatch`: gives the entries that were not changed.
    pub(in crate::messaging) async fn change_visibility(
        &self,
        queue_url: &str,
        entries: &[VisibilityEntry<'_>],
    ) -> Result<Vec<FailedEntry>, CallError> {
        let batch = Batch { queue_url, entries };
        let target = "AmazonSQS.ChangeMessageVisibilityBatch";
        let answer: BatchAnswer = self.call(target, &batch).await?;
        Ok(answer.failed)
    }

    /// `ReceiveMessage`, with the receive count and the time of sending.
    pub(in crate::messaging) async fn receive(
        &self,
        queue_url: &str,
        receive: &Receive<'_>,
    ) -> Result<Vec<Message>, CallError> {
        let request = ReceiveFrom {
            queue_url,
            message_system_attribute_names: ["ApproximateReceiveCount", "SentTimestamp"],
            receive,
        };
        let timeout = Duration::from_secs(receive.wait_time_seconds.into()) + RECEIVE_MARGIN;
        let target = "AmazonSQS.ReceiveMessage";
        let answer: ReceiveAnswer = self.call_within(target, &request, timeout).await?;
        Ok(answer.messages)
    }

    /// `GetQueueUrl`, in the account of the credentials.
    pub(in crate::messaging) async fn queue_url(&self, name: &str) -> Result<String, CallError> {
        let request = GetQueueUrl { queue_name: name };
        let answer: QueueUrlAnswer = self.call("AmazonSQS.GetQueueUrl", &request).await?;
        Ok(answer.queue_url)
    }

    /// `GetQueueAttributes`: those of these that the queue has.
    pub(in crate::messaging) async fn attributes(
        &self,
        queue_url: &str,
        names: &[&str],
    ) -> Result<HashMap<String, String>, CallError> {
        let request = GetQueueAttributes {
            queue_url,
            attribute_names: names,
        };
        let target = "AmazonSQS.GetQueueAttributes";
        let answer: AttributesAnswer = self.call(target, &request).await?;
        Ok(answer.attributes)
    }

    async fn call<A: DeserializeOwned>(
        &self,
        target: &'static str,
        request: &impl Serialize,
    ) -> Result<A, CallError> {
        self.call_within(target, request, ATTEMPT_TIMEOUT).await
    }

    async fn call_within<A: DeserializeOwned>(
        &self,
        target: &'static str,
        request: &impl Serialize,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let mut body = Vec::with_capacity(TYPICAL_BODY);
        serde_json::to_writer(&mut body, request)
            .map_err(|error| CallError::new(error.to_string()))?;
        let call = Call {
            operation: target.strip_prefix(INTERFACE).unwrap_or(target),
            content_type: "application/x-amz-json-1.0",
            target: Some(target),
            body: body.into(),
            timeout,
        };
        let answer = self.0.post(call).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let unread = |error: &dyn Display| CallError::new(format!("{target} answered: {error}"));
        // Checked once as a whole, and not each of its texts.
        let text = str::from_utf8(&answer.body).map_err(|error| unread(&error))?;
        serde_json::from_str(text).map_err(|error| unread(&error))
    }
}

fn refusal(answer: &Answer) -> CallError {
    match serde_json::from_slice::<Refusal>(&answer.body) {
        Ok(Refusal { kind, message }) => CallError::with_code(kind, message),
        Err(_) => CallError::new(format!("SQS answered {}", answer.status)),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn as_text<S: Serializer>(id: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
