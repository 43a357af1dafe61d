//! What a test or a demonstration does with messages, without an AWS client.

use std::collections::BTreeMap;

use contract::{RowId, names};
use rustack_sns_model::types::MessageAttributeValue as TopicAttribute;
use rustack_sqs_model::{
    error::SqsError,
    input::{
        DeleteMessageInput, GetQueueAttributesInput, PurgeQueueInput, ReceiveMessageInput,
        SendMessageInput,
    },
    types::{Message, MessageAttributeValue as QueueAttribute},
};

use super::{Emulator, EmulatorError, topics::Publication};

const VISIBLE: &str = "ApproximateNumberOfMessages";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// How many messages a queue holds. Exact here, where AWS approximates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that a receive can return now.
    pub visible: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages sent with a delay that has not passed.
    pub delayed: u64,
}

impl QueueDepth {
    /// All messages, whatever their state.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }

    /// Whether the queue holds no message in any state.
    pub fn is_empty(self) -> bool {
        self.total() == 0
    }
}

/// The value of a message attribute to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Of type `String`.
    Text(String),
    /// Of type `Number`.
    Number(u64),
}

impl Attribute {
    /// The data type and the value as both services take them.
    fn into_parts(self) -> (String, Option<String>) {
        match self {
            Self::Text(text) => ("String".to_owned(), Some(text)),
            Self::Number(number) => ("Number".to_owned(), Some(number.to_string())),
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

impl Emulator {
    /// Puts one message in a queue.
    pub async fn send(
        &self,
        queue_url: &str,
        body: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        let message_attributes = attributes
            .into_iter()
            .map(|(name, attribute)| {
                let (data_type, string_value) = attribute.into_parts();
                let attribute = QueueAttribute {
                    data_type,
                    string_value,
                    binary_value: None,
                };
                (name.to_owned(), attribute)
            })
            .collect();
        let message = SendMessageInput {
            queue_url: queue_url.to_owned(),
            message_body: body.into(),
            message_attributes,
            ..SendMessageInput::default()
        };
        self.sqs
            .send_message(message)
            .await
            .map(|_| ())
            .map_err(|source| queue_error(queue_url, source))
    }

    /// Publishes one message to a topic, which is in the subscribed queues when this returns.
    pub async fn publish(
        &self,
        topic_arn: &str,
        message: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        let attributes = attributes.into_iter().map(|(name, attribute)| {
            let (data_type, string_value) = attribute.into_parts();
            let attribute = TopicAttribute {
                data_type,
                string_value,
                binary_value: None,
            };
            (name.to_owned(), attribute)
        });
        let publication = Publication {
            message: message.into(),
            attributes: attributes.collect(),
        };
        let published = self.topics.publish(topic_arn, [publication]).await;
        published
            .and_then(|ids| ids.into_iter().collect::<Result<Vec<_>, _>>())
            .map(|_| ())
            .map_err(|source| EmulatorError::Topic {
                topic: topic_arn.to_owned(),
                source,
            })
    }

    /// Takes every visible message out of a queue, without waiting for more.
    ///
    /// A message that has used up its receives goes to the dead letters instead.
    pub async fn take_all(&self, queue_url: &str) -> Result<Vec<StoredMessage>, EmulatorError> {
        let mut taken = Vec::new();
        loop {
            let batch = self
                .receive_batch(queue_url)
                .await
                .map_err(|source| queue_error(queue_url, source))?;
            if batch.is_empty() {
                return Ok(taken);
            }
            for mut message in batch {
                let delete = DeleteMessageInput {
                    queue_url: queue_url.to_owned(),
                    receipt_handle: message.receipt_handle.take().unwrap_or_default(),
                };
                self.sqs
                    .delete_message(delete)
                    .await
                    .map_err(|source| queue_error(queue_url, source))?;
                taken.push(stored(message));
            }
        }
    }

    /// How many messages a queue holds.
    pub async fn queue_depth(&self, queue_url: &str) -> Result<QueueDepth, EmulatorError> {
        let figures = self
            .sqs
            .get_queue_attributes(GetQueueAttributesInput {
                queue_url: queue_url.to_owned(),
                attribute_names: [VISIBLE, IN_FLIGHT, DELAYED].map(str::to_owned).into(),
            })
            .await
            .map_err(|source| queue_error(queue_url, source))?
            .attributes;
        let figure = |attribute: &'static str| {
            figures
                .get(attribute)
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| EmulatorError::MissingFigure {
                    queue: queue_url.to_owned(),
                    attribute,
                })
        };
        Ok(QueueDepth {
            visible: figure(VISIBLE)?,
            in_flight: figure(IN_FLIGHT)?,
            delayed: figure(DELAYED)?,
        })
    }

    /// Deletes every message of a queue. As on AWS, once a minute at most.
    pub async fn purge(&self, queue_url: &str) -> Result<(), EmulatorError> {
        self.sqs
            .purge_queue(PurgeQueueInput {
                queue_url: queue_url.to_owned(),
            })
            .await
            .map(|_| ())
            .map_err(|source| queue_error(queue_url, source))
    }

    async fn receive_batch(&self, queue_url: &str) -> Result<Vec<Message>, SqsError> {
        let receive = ReceiveMessageInput {
            queue_url: queue_url.to_owned(),
            max_number_of_messages: Some(10),
            wait_time_seconds: Some(0),
            message_system_attribute_names: vec![RECEIVE_COUNT.to_owned()],
            message_attribute_names: vec!["All".to_owned()],
            ..ReceiveMessageInput::default()
        };
        Ok(self.sqs.receive_message(receive).await?.messages)
    }
}

fn stored(message: Message) -> StoredMessage {
    StoredMessage {
        body: message.body.unwrap_or_default(),
        attributes: message
            .message_attributes
            .into_iter()
            .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
            .collect(),
        receive_count: message
            .attributes
            .get(RECEIVE_COUNT)
            .and_then(|count| count.parse().ok())
            .unwrap_or_default(),
    }
}

fn queue_error(queue_url: &str, source: SqsError) -> EmulatorError {
    EmulatorError::Queue {
        queue: queue_url.to_owned(),
        source,
    }
}
