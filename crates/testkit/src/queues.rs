//! SQS and SNS for one test.

use emulators::emulator::{
    Attribute, Emulator, EmulatorError, PipelineNames, PipelineResources, PipelineSettings,
    QueueDepth, StoredMessage,
};
use emulators::{redis_environment, shared_environment};

use crate::aws_clients;
use crate::external::External;

/// An emulator inside this process, or what `TESTKIT_AWS_ENDPOINT_URL` names: then in an account of
/// its own there. No test sees the messages of another in either.
#[derive(Debug)]
pub struct Queues(Kind);

#[derive(Debug)]
enum Kind {
    Embedded(Emulator),
    External(External),
}

impl Queues {
    pub(crate) async fn start() -> Self {
        if let Some(external) = External::of_environment() {
            return Self(Kind::External(external));
        }
        let emulator = Emulator::start_on_free_port().await;
        Self(Kind::Embedded(
            emulator.unwrap_or_else(|error| panic!("{error}")),
        ))
    }

    pub(crate) async fn create_pipeline(&self, settings: PipelineSettings) -> PipelineResources {
        match &self.0 {
            Kind::Embedded(emulator) => emulator
                .create_pipeline_with(&PipelineNames::default(), settings)
                .await
                .unwrap_or_else(|error| panic!("{error}")),
            Kind::External(external) => external.create_pipeline(settings).await,
        }
    }

    pub(crate) async fn subscribe(
        &self,
        topic_arn: &str,
        name: &str,
        settings: PipelineSettings,
    ) -> String {
        match &self.0 {
            Kind::Embedded(emulator) => {
                External::embedded(emulator.endpoint_url())
                    .subscribe_queue(topic_arn, name, settings)
                    .await
            }
            Kind::External(external) => external.subscribe_queue(topic_arn, name, settings).await,
        }
    }

    /// The variables that services share, with a Redis of that port.
    pub(crate) fn environment(&self, redis_port: u16) -> Vec<(&'static str, String)> {
        let mut variables = shared_environment(&self.endpoint_url()).to_vec();
        variables.extend(redis_environment(redis_port));
        if let Kind::External(external) = &self.0 {
            let account = external.access_key_id().to_owned();
            variables.push(("AWS_ACCESS_KEY_ID", account));
        }
        variables
    }

    /// The URL that clients of SQS and of SNS take as their endpoint.
    pub fn endpoint_url(&self) -> String {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.endpoint_url(),
            Kind::External(external) => external.endpoint_url(),
        }
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.port(),
            Kind::External(external) => external.port(),
        }
    }

    /// Puts one message in a queue.
    pub async fn send(
        &self,
        queue_url: &str,
        body: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.send(queue_url, body, attributes).await,
            Kind::External(external) => {
                let attributes = attributes.into_iter().collect();
                external.send(queue_url, body.into(), attributes).await;
                Ok(())
            }
        }
    }

    /// Publishes one message to a topic.
    pub async fn publish(
        &self,
        topic_arn: &str,
        message: impl Into<String>,
        attributes: impl IntoIterator<Item = (&str, Attribute)>,
    ) -> Result<(), EmulatorError> {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.publish(topic_arn, message, attributes).await,
            Kind::External(external) => {
                let attributes = attributes.into_iter().collect();
                external
                    .publish(topic_arn, message.into(), attributes)
                    .await;
                Ok(())
            }
        }
    }

    /// Takes every visible message out of a queue, without waiting for more.
    pub async fn take_all(&self, queue_url: &str) -> Result<Vec<StoredMessage>, EmulatorError> {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.take_all(queue_url).await,
            Kind::External(external) => Ok(external.take_all(queue_url).await),
        }
    }

    /// How many messages a queue holds.
    pub async fn queue_depth(&self, queue_url: &str) -> Result<QueueDepth, EmulatorError> {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.queue_depth(queue_url).await,
            Kind::External(external) => Ok(external.queue_depth(queue_url).await),
        }
    }

    /// Deletes every message of a queue.
    pub async fn purge(&self, queue_url: &str) -> Result<(), EmulatorError> {
        match &self.0 {
            Kind::Embedded(emulator) => emulator.purge(queue_url).await,
            Kind::External(external) => {
                external.purge(queue_url).await;
                Ok(())
            }
        }
    }

    /// A client of SQS, for any call of it.
    pub fn client(&self) -> aws_sdk_sqs::Client {
        match &self.0 {
            Kind::Embedded(emulator) => aws_clients::sqs(&emulator.endpoint_url(), "test"),
            Kind::External(external) => external.sqs().clone(),
        }
    }
}
