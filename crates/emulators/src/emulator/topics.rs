//! The topics, and the delivery of what is published to the queues that are subscribed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use uuid::Uuid;

use super::{
    ACCOUNT_ID, REGION,
    envelope::envelope,
    filter_policy::FilterPolicy,
    message::{Attributes, Message, random_id},
    publication::Publication,
    queue::Queue,
    queues::Queues,
    topic_error::{TopicError, TopicErrorCode},
};

/// The most that SNS takes, in bytes, as a message and as a batch: 256 KiB
/// (<https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>).
const MAX_BYTES: usize = 256 * 1024;

/// Publication by publication: its id, or why it is not in every queue.
pub(super) type Published = Vec<Result<Uuid, TopicError>>;

/// All topics of an emulator.
#[derive(Debug)]
pub(super) struct Topics {
    queues: Arc<Queues>,
    /// Subscriptions by the ARN of the topic.
    subscriptions: RwLock<BTreeMap<String, Vec<Arc<Subscription>>>>,
}

/// A queue that is subscribed to a topic.
#[derive(Debug)]
pub(super) struct Subscription {
    arn: String,
    queue_arn: String,
    settings: SubscriptionSettings,
}

/// How a subscriber wants its messages.
#[derive(Debug, Default)]
pub(super) struct SubscriptionSettings {
    /// The message as it was published, with its attributes; else in an envelope.
    raw: bool,
    filter: Option<FilterPolicy>,
}

impl Publication {
    pub(super) fn new(body: String, attributes: Attributes, subject: Option<String>) -> Self {
        Self {
            message: Arc::new(Message::new(body, attributes)),
            subject,
        }
    }

    /// Whether one call can carry all of these.
    pub(super) fn fit_one_call<'a>(all: impl IntoIterator<Item = &'a Self>) -> bool {
        let sizes = all
            .into_iter()
            .map(|publication| publication.message.size());
        sizes.sum::<usize>() <= MAX_BYTES
    }

    fn check(&self) -> Result<(), TopicError> {
        if self.message.body.is_empty() {
            return Err(TopicError::invalid("Empty message"));
        }
        self.message
            .check_attributes()
            .map_err(|reason| TopicError::new(TopicErrorCode::ParameterValueInvalid, reason))
    }
}

impl SubscriptionSettings {
    /// Sets one attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), TopicError> {
        let invalid = |reason: &dyn fmt::Display| {
            TopicError::invalid(format_args!("Attributes Reason: {name}: {reason}"))
        };
        match (name, value) {
            ("RawMessageDelivery", "true") => self.raw = true,
            ("RawMessageDelivery", "false") => self.raw = false,
            ("FilterPolicy", policy) => {
                let policy = serde_json::from_str(policy);
                self.filter = Some(policy.map_err(|error| invalid(&error))?);
            }
            ("FilterPolicyScope", "MessageAttributes") => {}
            _ => {
                return Err(invalid(
                    &"the emulator has no such attribute, or no such value",
                ));
            }
        }
        Ok(())
    }
}

impl Topics {
    pub(super) fn new(queues: Arc<Queues>) -> Self {
        Self {
            queues,
            subscriptions: RwLock::default(),
        }
    }

    /// Creates a topic, or finds it; gives its ARN.
    pub(super) fn create(&self, name: &str) -> Result<String, TopicError> {
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 256 || !name.chars().all(letter) {
            return Err(TopicError::invalid("Topic Name"));
        }
        let arn = format!("arn:aws:sns:{REGION}:{ACCOUNT_ID}:{name}");
        self.write().entry(arn.clone()).or_default();
        Ok(arn)
    }

    /// Subscribes a queue, unless it is; gives the ARN of the subscription.
    pub(super) fn subscribe(
        &self,
        topic_arn: &str,
        queue_arn: &str,
        settings: SubscriptionSettings,
    ) -> Result<String, TopicError> {
        if self.queues.with_arn(queue_arn).is_none() {
            return Err(TopicError::invalid("SQS endpoint ARN"));
        }
        let mut topics = self.write();
        let subscriptions = topics.get_mut(topic_arn).ok_or_else(no_topic)?;
        let mut known = subscriptions.iter();
        if let Some(known) = known.find(|known| known.queue_arn == queue_arn) {
            return Ok(known.arn.clone());
        }
        let arn = format!("{topic_arn}:{}", random_id());
        subscriptions.push(Arc::new(Subscription {
            arn: arn.clone(),
            queue_arn: queue_arn.to_owned(),
            settings,
        }));
        Ok(arn)
    }

    /// How many queues are subscribed.
    pub(super) fn subscribers(&self, topic_arn: &str) -> Result<usize, TopicError> {
        Ok(self.subscriptions(topic_arn)?.len())
    }

    /// Publishes all of these, in their order.
    ///
    /// An error of one is that it is not in every queue; unlike SNS, which answers before it
    /// delivers.
    pub(super) fn publish(
        &self,
        topic_arn: &str,
        publications: &[Publication],
    ) -> Result<Published, TopicError> {
        let subscriptions = self.subscriptions(topic_arn)?;
        let mut outcomes: Published = publications
            .iter()
            .map(|publication| publication.check().map(|()| publication.message.id))
            .collect();
        for subscription in &subscriptions {
            let queue = self.queues.with_arn(&subscription.queue_arn);
            let mut messages = Vec::with_capacity(publications.len());
            for (publication, outcome) in publications.iter().zip(&mut outcomes) {
                if outcome.is_err() || !subscription.wants(publication) {
                    continue;
                }
                match subscription.message(topic_arn, publication, queue.as_deref()) {
                    Ok(message) => messages.push((message, None)),
                    Err(error) => *outcome = Err(error),
                }
            }
            if let Some(queue) = queue {
                queue.send(messages);
            }
        }
        Ok(outcomes)
    }

    fn subscriptions(&self, topic_arn: &str) -> Result<Vec<Arc<Subscription>>, TopicError> {
        self.read().get(topic_arn).cloned().ok_or_else(no_topic)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Vec<Arc<Subscription>>>> {
        let read = self.subscriptions.read();
        read.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Vec<Arc<Subscription>>>> {
        let write = self.subscriptions.write();
        write.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    fn wants(&self, publication: &Publication) -> bool {
        let filter = self.settings.filter.as_ref();
        filter.is_none_or(|filter| filter.wants(&publication.message.attributes))
    }

    /// What the queue gets, if it can have it.
    fn message(
        &self,
        topic_arn: &str,
        publication: &Publication,
        queue: Option<&Queue>,
    ) -> Result<Arc<Message>, TopicError> {
        let message = if self.settings.raw {
            Arc::clone(&publication.message)
        } else {
            let body = envelope(topic_arn, &self.arn, publication)
                .map_err(|error| TopicError::internal(error.to_string()))?;
            Arc::new(Message::new(body, Attributes::new()))
        };
        let taken = queue.is_some_and(|queue| message.size() <= queue.maximum_message_size());
        if taken {
            return Ok(message);
        }
        Err(TopicError::internal(format!(
            "not delivered to {}: the queue is not there, or takes no message of {} bytes",
            self.queue_arn,
            message.size()
        )))
    }
}

fn no_topic() -> TopicError {
    TopicError::new(TopicErrorCode::NotFound, "Topic does not exist")
}
