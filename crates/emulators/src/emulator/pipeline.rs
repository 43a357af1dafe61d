//! The queues, the topic and the subscription that the three services share.

use std::collections::HashMap;

use rustack_sns_model::{
    error::SnsError,
    input::{CreateTopicInput, SubscribeInput},
};
use rustack_sqs_core::queue::queue_arn;
use rustack_sqs_model::{error::SqsError, input::CreateQueueInput};
use serde_json::json;

use super::{ACCOUNT_ID, Emulator, EmulatorError, REGION};

/// Fourteen days in seconds, the longest that SQS keeps a message.
const RETENTION_SECONDS: u32 = 14 * 24 * 60 * 60;

/// What the resources are called. The default is the names of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineNames {
    /// Queue of CSV records, from importer-api to billing-worker.
    pub data_process: String,
    /// Dead letters of `data_process`.
    pub data_process_dlq: String,
    /// Topic of billing notifications.
    pub topic: String,
    /// Queue subscribed to the topic, which send-mail-worker drains.
    pub process_email: String,
    /// Dead letters of `process_email`.
    pub process_email_dlq: String,
}

impl Default for PipelineNames {
    fn default() -> Self {
        Self {
            data_process: "data-process".to_owned(),
            data_process_dlq: "data-process-dlq".to_owned(),
            topic: "data-process-topic".to_owned(),
            process_email: "process-email".to_owned(),
            process_email_dlq: "process-email-dlq".to_owned(),
        }
    }
}

impl PipelineNames {
    /// The default names with `-suffix` at their ends, for pipelines side by side in one emulator.
    ///
    /// SQS and SNS take letters, digits, `-` and `_`, and 80 characters for a queue.
    #[must_use]
    pub fn with_suffix(suffix: &str) -> Self {
        let names = Self::default();
        Self {
            data_process: format!("{}-{suffix}", names.data_process),
            data_process_dlq: format!("{}-{suffix}", names.data_process_dlq),
            topic: format!("{}-{suffix}", names.topic),
            process_email: format!("{}-{suffix}", names.process_email),
            process_email_dlq: format!("{}-{suffix}", names.process_email_dlq),
        }
    }
}

/// How the queues behave. The default is the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineSettings {
    /// Seconds that a received message stays hidden, 0 to 43,200.
    pub visibility_timeout: u32,
    /// Seconds that a receive waits for a message if the client does not say, 0 to 20.
    pub long_poll: u32,
    /// Receives after which a message goes to the dead letters, at least 1.
    pub max_receive_count: u32,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            visibility_timeout: 30,
            long_poll: 20,
            max_receive_count: 5,
        }
    }
}

/// Where the resources of one pipeline are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineResources {
    /// URL of the queue of CSV records.
    pub data_process_url: String,
    /// URL of its dead letters.
    pub data_process_dlq_url: String,
    /// ARN of the topic of billing notifications.
    pub topic_arn: String,
    /// URL of the queue that is subscribed to the topic.
    pub process_email_url: String,
    /// URL of its dead letters.
    pub process_email_dlq_url: String,
}

impl Emulator {
    /// Creates the pipeline as the contract has it; see [`Emulator::create_pipeline_with`].
    pub async fn create_pipeline(
        &self,
        names: &PipelineNames,
    ) -> Result<PipelineResources, EmulatorError> {
        self.create_pipeline_with(names, PipelineSettings::default())
            .await
    }

    /// Creates four queues, the topic and the subscription.
    ///
    /// What exists already with the same settings stays as it is, messages included; with other
    /// settings it is an error.
    pub async fn create_pipeline_with(
        &self,
        names: &PipelineNames,
        settings: PipelineSettings,
    ) -> Result<PipelineResources, EmulatorError> {
        let attributes = queue_attributes(settings);
        let data_process_dlq_url = self
            .create_queue(&names.data_process_dlq, attributes.clone())
            .await?;
        let process_email_dlq_url = self
            .create_queue(&names.process_email_dlq, attributes.clone())
            .await?;
        let data_process_url = self
            .create_queue(
                &names.data_process,
                with_redrive(attributes.clone(), &names.data_process_dlq, settings),
            )
            .await?;
        let process_email_url = self
            .create_queue(
                &names.process_email,
                with_redrive(attributes, &names.process_email_dlq, settings),
            )
            .await?;
        let topic_arn = self
            .create_subscribed_topic(&names.topic, &names.process_email)
            .map_err(|source| EmulatorError::Topic {
                topic: names.topic.clone(),
                source,
            })?;
        Ok(PipelineResources {
            data_process_url,
            data_process_dlq_url,
            topic_arn,
            process_email_url,
            process_email_dlq_url,
        })
    }

    async fn create_queue(
        &self,
        name: &str,
        attributes: HashMap<String, String>,
    ) -> Result<String, EmulatorError> {
        let created = self
            .sqs
            .create_queue(CreateQueueInput {
                queue_name: name.to_owned(),
                attributes,
                tags: HashMap::new(),
            })
            .await;
        created
            .and_then(|queue| {
                queue
                    .queue_url
                    .ok_or_else(|| SqsError::internal_error("the new queue has no URL"))
            })
            .map_err(|source| EmulatorError::Queue {
                queue: name.to_owned(),
                source,
            })
    }

    fn create_subscribed_topic(&self, topic: &str, queue: &str) -> Result<String, SnsError> {
        let topic_arn = self
            .sns
            .create_topic(CreateTopicInput {
                name: topic.to_owned(),
                ..CreateTopicInput::default()
            })?
            .topic_arn;
        // Without a redrive policy, which the emulator refuses and never needs.
        self.sns.subscribe(SubscribeInput {
            topic_arn: topic_arn.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(queue_arn(REGION, ACCOUNT_ID, queue)),
            attributes: HashMap::from([("RawMessageDelivery".to_owned(), "true".to_owned())]),
            return_subscription_arn: true,
        })?;
        Ok(topic_arn)
    }
}

fn queue_attributes(settings: PipelineSettings) -> HashMap<String, String> {
    [
        ("VisibilityTimeout", settings.visibility_timeout),
        ("ReceiveMessageWaitTimeSeconds", settings.long_poll),
        ("MessageRetentionPeriod", RETENTION_SECONDS),
    ]
    .into_iter()
    .map(|(name, seconds)| (name.to_owned(), seconds.to_string()))
    .collect()
}

fn with_redrive(
    mut attributes: HashMap<String, String>,
    dead_letters: &str,
    settings: PipelineSettings,
) -> HashMap<String, String> {
    // The emulator takes the count as a number only, where AWS takes a string as well.
    let policy = json!({
        "deadLetterTargetArn": queue_arn(REGION, ACCOUNT_ID, dead_letters),
        "maxReceiveCount": settings.max_receive_count,
    });
    attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    attributes
}
