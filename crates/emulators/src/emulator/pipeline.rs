//! The queues, the topic and the subscription that the three services share.

use serde_json::json;

use super::{
    Emulator, EmulatorError, TopicError, queue::queue_arn, queue_settings::QueueAttributes,
    topics::SubscriptionSettings,
};

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
    #[expect(
        clippy::unused_async,
        reason = "who calls it may have SQS and SNS elsewhere, at the other end of a connection"
    )]
    pub async fn create_pipeline_with(
        &self,
        names: &PipelineNames,
        settings: PipelineSettings,
    ) -> Result<PipelineResources, EmulatorError> {
        let attributes = queue_attributes(settings);
        let create = |name: &str| self.create_queue(name, &attributes);
        let create_with = |name: &str, dead_letters: &str| {
            let attributes = with_redrive(attributes.clone(), dead_letters, settings);
            self.create_queue(name, &attributes)
        };
        let data_process_dlq_url = create(&names.data_process_dlq)?;
        let process_email_dlq_url = create(&names.process_email_dlq)?;
        let data_process_url = create_with(&names.data_process, &names.data_process_dlq)?;
        let process_email_url = create_with(&names.process_email, &names.process_email_dlq)?;
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

    fn create_queue(
        &self,
        name: &str,
        attributes: &QueueAttributes,
    ) -> Result<String, EmulatorError> {
        let created = self.queues.create(name, attributes);
        created
            .map(|queue| queue.url.clone())
            .map_err(|source| EmulatorError::Queue {
                queue: name.to_owned(),
                source,
            })
    }

    fn create_subscribed_topic(&self, topic: &str, queue: &str) -> Result<String, TopicError> {
        let topic_arn = self.topics.create(topic)?;
        // Without a redrive policy, which the emulator refuses and never needs.
        let mut settings = SubscriptionSettings::default();
        settings.set("RawMessageDelivery", "true")?;
        self.topics
            .subscribe(&topic_arn, &queue_arn(queue), settings)?;
        Ok(topic_arn)
    }
}

fn queue_attributes(settings: PipelineSettings) -> QueueAttributes {
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
    mut attributes: QueueAttributes,
    dead_letters: &str,
    settings: PipelineSettings,
) -> QueueAttributes {
    let policy = json!({
        "deadLetterTargetArn": queue_arn(dead_letters),
        "maxReceiveCount": settings.max_receive_count,
    });
    attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    attributes
}
