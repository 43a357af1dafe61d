use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::entry::{incomplete, outcomes};
use super::{BatchSender, CallError, EntryOutcome, Outgoing};
use crate::outage::{Dependency, Outage};
use crate::service::ReadyProbe;

/// An SNS topic. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Topic {
    client: Client,
    arn: String,
    outage: Outage,
}

impl Topic {
    pub(super) fn new(client: Client, arn: String) -> Self {
        Self {
            client,
            arn,
            outage: Outage::new("SNS"),
        }
    }

    /// Whether the topic answers: asks for its attributes.
    pub async fn probe(&self) -> Result<(), CallError> {
        self.client
            .get_topic_attributes()
            .topic_arn(&self.arn)
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        Ok(())
    }

    /// Asks whether the topic answers.
    pub fn ready_probe(&self) -> ReadyProbe {
        ReadyProbe::new(
            self,
            |topic: Self| async move { topic.probe().await.is_ok() },
        )
    }
}

impl Dependency for Topic {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl BatchSender for Topic {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let mut call = self.client.publish_batch().topic_arn(&self.arn);
        for (index, entry) in entries.iter().enumerate() {
            let mut request = PublishBatchRequestEntry::builder()
                .id(index.to_string())
                .message(&entry.body);
            for (name, kind, value) in entry.attributes() {
                let attribute = MessageAttributeValue::builder()
                    .data_type(kind)
                    .string_value(value)
                    .build();
                request = request.message_attributes(name, attribute.map_err(incomplete)?);
            }
            call = call.publish_batch_request_entries(request.build().map_err(incomplete)?);
        }
        let answer = call
            .send()
            .await
            .map_err(|error| CallError::from_sdk(&error))?;
        Ok(outcomes(
            entries.len(),
            answer.failed().iter().map(|error| {
                let message = error.message.as_deref();
                let outcome = EntryOutcome::from_fault(error.sender_fault, &error.code, message);
                (error.id.as_str(), outcome)
            }),
        ))
    }
}
