//! Delivers what is published to the queues that are subscribed.

use std::{collections::HashMap, iter::repeat_n, sync::Arc};

use futures::future::join_all;
use rustack_sns_core::{
    delivery::{EnvelopeParams, build_sns_envelope},
    filter::evaluate_filter_policy,
    provider::RustackSns,
    subscription::FilterPolicyScope,
};
use rustack_sns_model::{
    error::SnsError,
    input::{GetSubscriptionAttributesInput, ListSubscriptionsByTopicInput},
    types::MessageAttributeValue,
};
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_model::{input::SendMessageInput, types::MessageAttributeValue as QueueAttribute};
use uuid::Uuid;

use super::REGION;

/// The most that a call may publish, in bytes: messages and attributes together.
const MAX_BYTES: usize = 256 * 1024;

/// A message to publish.
#[derive(Debug, Clone)]
pub(super) struct Publication {
    pub(super) message: String,
    pub(super) attributes: HashMap<String, MessageAttributeValue>,
}

/// The topics, with the subscriptions that rustack holds.
///
/// Rustack itself is left out of a delivery: it hands over one message at a time, and refuses
/// attributes where a subscription is raw.
#[derive(Debug)]
pub(super) struct Topics {
    sns: Arc<RustackSns>,
    sqs: Arc<RustackSqs>,
    host: String,
    port: u16,
}

/// A queue that is subscribed to a topic.
struct Subscriber {
    queue_url: String,
    raw: bool,
    filter: Option<(String, FilterPolicyScope)>,
}

impl Publication {
    /// In bytes, as SNS counts.
    pub(super) fn size(&self) -> usize {
        let of_attributes = self.attributes.iter().map(|(name, attribute)| {
            let value = attribute.string_value.as_ref().map_or(0, String::len);
            name.len() + attribute.data_type.len() + value
        });
        self.message.len() + of_attributes.sum::<usize>()
    }

    /// Whether one call can carry all of these.
    pub(super) fn fit_one_call<'a>(all: impl IntoIterator<Item = &'a Self>) -> bool {
        all.into_iter().map(Self::size).sum::<usize>() <= MAX_BYTES
    }
}

impl Topics {
    pub(super) fn new(sns: Arc<RustackSns>, sqs: Arc<RustackSqs>, host: String, port: u16) -> Self {
        Self {
            sns,
            sqs,
            host,
            port,
        }
    }

    /// Publishes all of these, in their order, and gives the id of each.
    ///
    /// An error of one is that it is not in every queue; unlike SNS, which answers before it
    /// delivers.
    pub(super) async fn publish(
        &self,
        topic_arn: &str,
        publications: impl IntoIterator<Item = Publication>,
    ) -> Result<Vec<Result<String, SnsError>>, SnsError> {
        let subscribers = self.subscribers(topic_arn)?;
        let deliveries = publications
            .into_iter()
            .map(|publication| self.deliver(topic_arn, &subscribers, publication));
        Ok(join_all(deliveries).await)
    }

    async fn deliver(
        &self,
        topic_arn: &str,
        subscribers: &[Subscriber],
        publication: Publication,
    ) -> Result<String, SnsError> {
        if publication.message.is_empty() {
            return Err(SnsError::invalid_parameter(
                "Invalid parameter: Empty message",
            ));
        }
        let id = Uuid::new_v4().to_string();
        let subscribers: Vec<_> = subscribers
            .iter()
            .filter(|subscriber| subscriber.wants(&publication))
            .collect();
        let sends = repeat_n(publication, subscribers.len())
            .zip(subscribers)
            .map(async |(publication, subscriber)| {
                let (message_body, message_attributes) = if subscriber.raw {
                    (
                        publication.message,
                        queue_attributes(publication.attributes),
                    )
                } else {
                    let envelope = self.envelope(topic_arn, &id, &publication)?;
                    (envelope, HashMap::new())
                };
                let message = SendMessageInput {
                    queue_url: subscriber.queue_url.clone(),
                    message_body,
                    message_attributes,
                    ..SendMessageInput::default()
                };
                self.sqs.send_message(message).await.map_err(|error| {
                    let queue = &subscriber.queue_url;
                    SnsError::internal_error(format!("not delivered to {queue}: {error}"))
                })
            });
        for sent in join_all(sends).await {
            sent?;
        }
        Ok(id)
    }

    fn envelope(
        &self,
        topic_arn: &str,
        message_id: &str,
        publication: &Publication,
    ) -> Result<String, SnsError> {
        build_sns_envelope(&EnvelopeParams {
            message_id,
            topic_arn,
            subject: None,
            message: &publication.message,
            message_attributes: &publication.attributes,
            region: REGION,
            host: &self.host,
            port: self.port,
        })
        .map_err(|error| SnsError::internal_error(error.to_string()))
    }

    fn subscribers(&self, topic_arn: &str) -> Result<Vec<Subscriber>, SnsError> {
        let mut subscribers = Vec::new();
        let mut next_token = None;
        loop {
            let page = self
                .sns
                .list_subscriptions_by_topic(&ListSubscriptionsByTopicInput {
                    topic_arn: topic_arn.to_owned(),
                    next_token,
                })?;
            for subscription in page.subscriptions {
                let attributes = self
                    .sns
                    .get_subscription_attributes(&GetSubscriptionAttributesInput {
                        subscription_arn: subscription.subscription_arn,
                    })?
                    .attributes;
                let queue_url = self.sqs.queue_url_for_arn(&subscription.endpoint);
                subscribers.push(Subscriber {
                    queue_url: queue_url
                        .map_err(|error| SnsError::internal_error(error.to_string()))?,
                    raw: attributes
                        .get("RawMessageDelivery")
                        .is_some_and(|raw| raw == "true"),
                    filter: attributes.get("FilterPolicy").map(|policy| {
                        let scope = attributes.get("FilterPolicyScope");
                        let scope = scope.map(|scope| FilterPolicyScope::parse(scope));
                        (policy.clone(), scope.unwrap_or_default())
                    }),
                });
            }
            next_token = page.next_token;
            if next_token.is_none() {
                return Ok(subscribers);
            }
        }
    }
}

impl Subscriber {
    fn wants(&self, publication: &Publication) -> bool {
        self.filter.as_ref().is_none_or(|(policy, scope)| {
            let Publication {
                message,
                attributes,
            } = publication;
            evaluate_filter_policy(policy, scope, attributes, message).unwrap_or(false)
        })
    }
}

fn queue_attributes(
    attributes: HashMap<String, MessageAttributeValue>,
) -> HashMap<String, QueueAttribute> {
    let attributes = attributes.into_iter().map(|(name, attribute)| {
        let attribute = QueueAttribute {
            data_type: attribute.data_type,
            string_value: attribute.string_value,
            binary_value: None,
        };
        (name, attribute)
    });
    attributes.collect()
}
