//! Hands what SNS publishes to the SQS side.

use std::sync::Arc;

use async_trait::async_trait;
use rustack_sns_core::publisher::{DeliveryError, SqsPublisher};
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_model::input::SendMessageInput;

/// Delivers to the queues of the same emulator.
pub(super) struct SqsBridge {
    sqs: Arc<RustackSqs>,
}

impl SqsBridge {
    pub(super) fn new(sqs: Arc<RustackSqs>) -> Self {
        Self { sqs }
    }

    fn queue_url(&self, queue_arn: &str) -> Result<String, DeliveryError> {
        self.sqs
            .queue_url_for_arn(queue_arn)
            .map_err(|error| delivery_failed(queue_arn, &error))
    }
}

#[async_trait]
impl SqsPublisher for SqsBridge {
    fn validate(&self, queue_arn: &str) -> Result<(), DeliveryError> {
        self.queue_url(queue_arn).map(|_| ())
    }

    async fn send_message(
        &self,
        queue_arn: &str,
        message_body: &str,
        message_group_id: Option<&str>,
        message_deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let message = SendMessageInput {
            queue_url: self.queue_url(queue_arn)?,
            message_body: message_body.to_owned(),
            message_group_id: message_group_id.map(str::to_owned),
            message_deduplication_id: message_deduplication_id.map(str::to_owned),
            ..SendMessageInput::default()
        };
        match self.sqs.send_message(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(delivery_failed(queue_arn, &error)),
        }
    }
}

fn delivery_failed(queue_arn: &str, error: &impl ToString) -> DeliveryError {
    DeliveryError::SqsDeliveryFailed {
        queue_arn: queue_arn.to_owned(),
        reason: error.to_string(),
    }
}
