//! The calls of SNS: <https://docs.aws.amazon.com/sns/latest/api/>.

use std::collections::HashMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::config::Builder;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::{BatchResultErrorEntry, MessageAttributeValue, PublishBatchRequestEntry};

use super::call::Calls;
use crate::messaging::entry::FailedEntry;
use crate::messaging::{CallError, Outgoing};
use crate::runtime::TraceContext;

/// The operations that a service calls.
pub(super) const OPERATIONS: [&str; 2] = [PUBLISH, PROBE];
const PUBLISH: &str = "PublishBatch";
const PROBE: &str = "GetTopicAttributes";

/// Calls of SNS. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Sns {
    client: Client,
    calls: Calls,
}

impl Sns {
    pub(super) fn new(calls: Calls, config: Builder, endpoint: Option<String>) -> Self {
        let mut config = config;
        config.set_endpoint_url(endpoint);
        Self {
            client: Client::from_conf(config.build()),
            calls,
        }
    }

    /// `PublishBatch` of messages, each with its trace: gives the entries that
    /// SNS did not take.
    pub(in crate::messaging) async fn publish(
        &self,
        topic_arn: &str,
        messages: impl Iterator<Item = (&Outgoing, Option<TraceContext>)>,
    ) -> Result<Vec<FailedEntry>, CallError> {
        let entries = messages.enumerate();
        let entries =
            entries.map(|(place, (message, trace))| entry(place, message, trace.as_ref()));
        let entries = entries.collect::<Result<_, _>>();
        let entries = entries.map_err(|error| CallError::new(error.to_string()))?;
        let request = self.client.publish_batch().topic_arn(topic_arn);
        let request = request.set_publish_batch_request_entries(Some(entries));
        let answer = self.calls.make(PUBLISH, request.send()).await?;
        let failed = answer.failed.unwrap_or_default();
        Ok(failed.into_iter().map(Into::into).collect())
    }

    /// `GetTopicAttributes`, whose answer is not looked at: whether the topic
    /// answers.
    pub(in crate::messaging) async fn probe(&self, topic_arn: &str) -> Result<(), CallError> {
        let request = self.client.get_topic_attributes().topic_arn(topic_arn);
        self.calls.make(PROBE, request.send()).await?;
        Ok(())
    }
}

/// An entry of `PublishBatch`.
fn entry(
    place: usize,
    message: &Outgoing,
    trace: Option<&TraceContext>,
) -> Result<PublishBatchRequestEntry, BuildError> {
    let mut attributes = HashMap::new();
    for (name, kind, value) in message.attributes(trace) {
        let attribute = MessageAttributeValue::builder().data_type(kind);
        attributes.insert(name.to_owned(), attribute.string_value(value).build()?);
    }
    PublishBatchRequestEntry::builder()
        .id(place.to_string())
        .message(&message.body)
        .set_message_attributes(Some(attributes))
        .build()
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
