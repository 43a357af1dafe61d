//! What a test or a demonstration does with messages, without an AWS client.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use compact_str::{CompactString, ToCompactString};
use contract::{RowId, names};

use super::{
    Emulator, EmulatorError, QueueError, TopicError,
    message::{Attributes, Message, MessageAttribute},
    publication::Publication,
    queue::{Queue, Receive, Received},
    queue_depth::QueueDepth,
};

/// A receive that takes as many as it can get at once.
const ALL_AT_ONCE: Receive = Receive {
    most: usize::MAX,
    wait: Some(Duration::ZERO),
    hide_for: None,
};

/// The value of a message attribute to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Of type `String`.
    Text(String),
    /// Of type `Number`.
    Number(u64),
}

impl From<Attribute> for MessageAttribute {
    fn from(attribute: Attribute) -> Self {
        let (data_type, value) = match attribute {
            Attribute::Text(text) => ("String", text.into()),
            Attribute::Number(number) => ("Number", number.to_compact_string()),
        };
        Self {
            data_type: CompactString::const_new(data_type),
            string_value: Some(value),
            binary_value: None,
        }
    }
}

/// A message taken from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The body, byte for byte.
    pub body: String,
    /// Message attributes by name, numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// How often it was received from this queue, this time included.
    pub receive_count: u32,
}

impl StoredMessage {
    /// The row that its attributes name.
    pub fn row(&self) -> Option<RowId> {
        let attribute = |name: &str| self.attributes.get(name).map(String::as_str);
        RowId::from_attributes(attribute(names::IMPORT_ID), attribute(names::ROW))
    }
}

#[expect(
    clippy::unused_async,
    reason = "who calls them may have SQS and SNS elsewhere, at the other end of a connection"
)]
impl Emulator {
    /// Puts one message in a queue.
    pub async fn send(
        &self,
        queue_url: &str,
        body: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        let message = Message::new(body.into(), own(attributes));
        self.queue(queue_url)?.send([(Arc::new(message), None)]);
        Ok(())
    }

    /// Publishes one message to a topic, which is in the subscribed queues when this returns.
    pub async fn publish(
        &self,
        topic_arn: &str,
        message: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        let publication = Publication::new(message.into(), own(attributes), None);
        let published = self.topics.publish(topic_arn, &[publication]);
        published
            .and_then(|ids| ids.into_iter().try_for_each(|id| id.map(|_| ())))
            .map_err(|source: TopicError| EmulatorError::Topic {
                topic: topic_arn.to_owned(),
                source,
            })
    }

    /// Takes every visible message out of a queue, without waiting for more.
    ///
    /// A message that has used up its receives goes to the dead letters instead.
    pub async fn take_all(&self, queue_url: &str) -> Result<Vec<StoredMessage>, EmulatorError> {
        let queue = self.queue(queue_url)?;
        let received = self.queues.receive(&queue, ALL_AT_ONCE).await;
        for received in &received {
            queue
                .delete(&received.handle.to_string())
                .map_err(|source| queue_error(queue_url, source))?;
        }
        Ok(received.iter().map(stored).collect())
    }

    /// How many messages a queue holds.
    pub async fn queue_depth(&self, queue_url: &str) -> Result<QueueDepth, EmulatorError> {
        Ok(self.queue(queue_url)?.depth())
    }

    /// Deletes every message of a queue. As on AWS, once a minute at most.
    pub async fn purge(&self, queue_url: &str) -> Result<(), EmulatorError> {
        let purged = self.queue(queue_url)?.purge();
        purged.map_err(|source| queue_error(queue_url, source))
    }

    fn queue(&self, queue_url: &str) -> Result<Arc<Queue>, EmulatorError> {
        let queue = self.queues.with_url(queue_url);
        queue.map_err(|source| queue_error(queue_url, source))
    }
}

fn own<'a>(attributes: impl IntoIterator<Item = (&'a str, Attribute)>) -> Attributes {
    let attributes = attributes.into_iter();
    attributes
        .map(|(name, attribute)| (name.into(), attribute.into()))
        .collect()
}

fn stored(received: &Received) -> StoredMessage {
    let message = &received.held.message;
    let attributes = message.attributes.iter().filter_map(|(name, attribute)| {
        let value = attribute.string_value.as_ref()?;
        Some((name.to_string(), value.to_string()))
    });
    StoredMessage {
        body: message.body.clone(),
        attributes: attributes.collect(),
        receive_count: received.held.receive_count,
    }
}

fn queue_error(queue_url: &str, source: QueueError) -> EmulatorError {
    EmulatorError::Queue {
        queue: queue_url.to_owned(),
        source,
    }
}
