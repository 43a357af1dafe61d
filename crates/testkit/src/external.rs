//! SQS and SNS outside this process, such as LocalStack.

use std::collections::HashMap;

use aws_sdk_sns as sns;
use aws_sdk_sqs as sqs;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use emulators::emulator::{
    ACCOUNT_ID, Attribute, PipelineNames, PipelineResources, PipelineSettings, QueueDepth, REGION,
    StoredMessage,
};
use serde_json::json;

use crate::aws_clients;

/// Names the endpoint; without it each stack has an emulator of its own.
const ENDPOINT: &str = "TESTKIT_AWS_ENDPOINT_URL";

/// The endpoint that the environment names.
pub(crate) fn endpoint() -> Option<String> {
    let endpoint = std::env::var_os(ENDPOINT)?;
    let endpoint = endpoint.to_str().expect("a URL").trim_end_matches('/');
    Some(endpoint.to_owned())
}

/// An account that no other test has.
pub(crate) fn new_account() -> String {
    fastrand::u64(100_000_000_000..1_000_000_000_000).to_string()
}

/// An account of its own at an endpoint that many tests share: LocalStack and its like take a key
/// id of twelve digits for the number of an account.
#[derive(Debug)]
pub(crate) struct External {
    sqs: sqs::Client,
    sns: sns::Client,
    endpoint: String,
    account: String,
}

impl External {
    /// `None` where the environment names no endpoint.
    pub(crate) fn of_environment() -> Option<Self> {
        let endpoint = endpoint()?;
        let account = new_account();
        Some(Self {
            sqs: aws_clients::sqs(&endpoint, &account),
            sns: aws_clients::sns(&endpoint, &account),
            endpoint,
            account,
        })
    }

    /// The same calls to an emulator that is in this process.
    pub(crate) fn embedded(endpoint: String) -> Self {
        Self {
            sqs: aws_clients::sqs(&endpoint, ACCOUNT_ID),
            sns: aws_clients::sns(&endpoint, ACCOUNT_ID),
            endpoint,
            account: ACCOUNT_ID.to_owned(),
        }
    }

    pub(crate) fn endpoint_url(&self) -> String {
        self.endpoint.clone()
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.endpoint.rsplit(':').next();
        port.and_then(|port| port.parse().ok())
            .expect("an endpoint with a port")
    }

    /// The key id that services must have to work in this account.
    pub(crate) fn access_key_id(&self) -> &str {
        &self.account
    }

    pub(crate) fn sqs(&self) -> &sqs::Client {
        &self.sqs
    }

    /// What `localstack/ready.d` creates, with these settings of its queues.
    pub(crate) async fn create_pipeline(&self, settings: PipelineSettings) -> PipelineResources {
        let names = PipelineNames::default();
        let data_process_dlq_url = self.create_queue(&names.data_process_dlq, settings).await;
        let process_email_dlq_url = self.create_queue(&names.process_email_dlq, settings).await;
        let data_process_url = self
            .create_with_dead_letters(&names.data_process, &names.data_process_dlq, settings)
            .await;
        let process_email_url = self
            .create_with_dead_letters(&names.process_email, &names.process_email_dlq, settings)
            .await;
        let created = self.sns.create_topic().name(&names.topic).send().await;
        let topic_arn = created.expect("a topic").topic_arn.expect("its ARN");
        self.subscribe(&topic_arn, &names.process_email).await;
        PipelineResources {
            data_process_url,
            data_process_dlq_url,
            topic_arn,
            process_email_url,
            process_email_dlq_url,
        }
    }

    async fn subscribe(&self, topic_arn: &str, queue: &str) {
        let subscribe = self
            .sns
            .subscribe()
            .topic_arn(topic_arn)
            .protocol("sqs")
            .endpoint(self.queue_arn(queue))
            .attributes("RawMessageDelivery", "true");
        subscribe.send().await.expect("a subscription");
    }

    /// A further queue of that name, with dead letters, that is subscribed to the topic. Gives its
    /// URL.
    pub(crate) async fn subscribe_queue(
        &self,
        topic_arn: &str,
        name: &str,
        settings: PipelineSettings,
    ) -> String {
        let dead_letters = format!("{name}-dlq");
        self.create_queue(&dead_letters, settings).await;
        let url = self
            .create_with_dead_letters(name, &dead_letters, settings)
            .await;
        self.subscribe(topic_arn, name).await;
        url
    }

    async fn create_with_dead_letters(
        &self,
        name: &str,
        dead_letters: &str,
        settings: PipelineSettings,
    ) -> String {
        let url = self.create_queue(name, settings).await;
        let policy = json!({
            "deadLetterTargetArn": self.queue_arn(dead_letters),
            "maxReceiveCount": settings.max_receive_count,
        });
        let set = self
            .sqs
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        set.send().await.expect("a redrive policy");
        url
    }

    async fn create_queue(&self, name: &str, settings: PipelineSettings) -> String {
        use QueueAttributeName::{ReceiveMessageWaitTimeSeconds, VisibilityTimeout};
        let visibility = settings.visibility_timeout.to_string();
        let long_poll = settings.long_poll.to_string();
        let create = self
            .sqs
            .create_queue()
            .queue_name(name)
            .attributes(VisibilityTimeout, visibility)
            .attributes(ReceiveMessageWaitTimeSeconds, long_poll);
        let created = create.send().await.expect("a queue");
        created.queue_url.expect("its URL")
    }

    fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{}:{name}", self.account)
    }

    pub(crate) async fn send(
        &self,
        queue_url: &str,
        body: String,
        attributes: Vec<(&str, Attribute)>,
    ) {
        let attributes = attributes.into_iter().map(|(name, attribute)| {
            let (kind, value) = parts(attribute);
            let attribute = MessageAttributeValue::builder().data_type(kind);
            let attribute = attribute.string_value(value).build().expect("a value");
            (name.to_owned(), attribute)
        });
        let send = self
            .sqs
            .send_message()
            .queue_url(queue_url)
            .message_body(body)
            .set_message_attributes(Some(attributes.collect()));
        send.send().await.expect("a message that is taken");
    }

    pub(crate) async fn publish(
        &self,
        topic_arn: &str,
        message: String,
        attributes: Vec<(&str, Attribute)>,
    ) {
        let attributes = attributes.into_iter().map(|(name, attribute)| {
            let (kind, value) = parts(attribute);
            let attribute = sns::types::MessageAttributeValue::builder().data_type(kind);
            let attribute = attribute.string_value(value).build().expect("a value");
            (name.to_owned(), attribute)
        });
        let publish = self
            .sns
            .publish()
            .topic_arn(topic_arn)
            .message(message)
            .set_message_attributes(Some(attributes.collect()));
        publish.send().await.expect("a message that is taken");
    }

    pub(crate) async fn take_all(&self, queue_url: &str) -> Vec<StoredMessage> {
        let mut taken = Vec::new();
        loop {
            let receive = self
                .sqs
                .receive_message()
                .queue_url(queue_url)
                .max_number_of_messages(10)
                .wait_time_seconds(0)
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .message_attribute_names("All");
            let received = receive.send().await.expect("an answer").messages;
            let Some(messages) = received.filter(|messages| !messages.is_empty()) else {
                return taken;
            };
            for message in messages {
                let handle = message.receipt_handle().expect("a receipt");
                let delete = self.sqs.delete_message().queue_url(queue_url);
                let deleted = delete.receipt_handle(handle).send().await;
                deleted.expect("a message that can be deleted");
                taken.push(stored(message));
            }
        }
    }

    pub(crate) async fn queue_depth(&self, queue_url: &str) -> QueueDepth {
        let ask = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = ask.attribute_names(QueueAttributeName::All).send().await;
        let attributes = answer.expect("an answer").attributes.unwrap_or_default();
        let figure = |name: QueueAttributeName| {
            let figure = attributes.get(&name);
            figure.and_then(|n| n.parse().ok()).expect("a number")
        };
        QueueDepth {
            visible: figure(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: figure(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: figure(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        }
    }

    pub(crate) async fn purge(&self, queue_url: &str) {
        let purge = self.sqs.purge_queue().queue_url(queue_url);
        purge.send().await.expect("a queue that can be purged");
    }
}

/// Type and value.
fn parts(attribute: Attribute) -> (&'static str, String) {
    match attribute {
        Attribute::Text(text) => ("String", text),
        Attribute::Number(number) => ("Number", number.to_string()),
    }
}

fn stored(message: Message) -> StoredMessage {
    let count = MessageSystemAttributeName::ApproximateReceiveCount;
    let count = message.attributes().and_then(|known| known.get(&count));
    let receive_count = count.and_then(|n| n.parse().ok()).expect("a number");
    let attributes: HashMap<_, _> = message.message_attributes.unwrap_or_default();
    StoredMessage {
        body: message.body.unwrap_or_default(),
        attributes: attributes
            .into_iter()
            .map(|(name, attribute)| (name, attribute.string_value.unwrap_or_default()))
            .collect(),
        receive_count,
    }
}
