//! SQS and SNS outside this process, such as LocalStack.

use std::collections::BTreeMap;

use emulators::emulator::{
    Attribute, PipelineNames, PipelineResources, PipelineSettings, QueueDepth, REGION,
    StoredMessage,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value, json};

/// Names the endpoint; without it each stack has an emulator of its own.
const ENDPOINT: &str = "TESTKIT_AWS_ENDPOINT_URL";

/// An account of its own at an endpoint that many tests share: LocalStack takes a key id of twelve
/// digits for the number of an account. Who calls is named, and not proven by a signature.
#[derive(Debug)]
pub(crate) struct External {
    http: reqwest::Client,
    endpoint: String,
    account: String,
}

impl External {
    /// `None` where the environment names no endpoint.
    pub(crate) fn of_environment() -> Option<Self> {
        let endpoint = std::env::var_os(ENDPOINT)?;
        let endpoint = endpoint.to_str().expect("a URL").trim_end_matches('/');
        Some(Self {
            http: reqwest::Client::new(),
            endpoint: endpoint.to_owned(),
            account: fastrand::u64(100_000_000_000..1_000_000_000_000).to_string(),
        })
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
        let topic_arn = format!("arn:aws:sns:{REGION}:{}:{}", self.account, names.topic);
        self.sns("CreateTopic", &[("Name", &names.topic)]).await;
        let subscription = [
            ("TopicArn", &*topic_arn),
            ("Protocol", "sqs"),
            ("Endpoint", &self.queue_arn(&names.process_email)),
            ("Attributes.entry.1.key", "RawMessageDelivery"),
            ("Attributes.entry.1.value", "true"),
        ];
        self.sns("Subscribe", &subscription).await;
        PipelineResources {
            data_process_url,
            data_process_dlq_url,
            topic_arn,
            process_email_url,
            process_email_dlq_url,
        }
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
            "maxReceiveCount": settings.max_receive_count.to_string(),
        });
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        let set = json!({"QueueUrl": url, "Attributes": attributes});
        self.sqs("SetQueueAttributes", set).await;
        url
    }

    async fn create_queue(&self, name: &str, settings: PipelineSettings) -> String {
        let attributes = json!({
            "VisibilityTimeout": settings.visibility_timeout.to_string(),
            "ReceiveMessageWaitTimeSeconds": settings.long_poll.to_string(),
        });
        let queue = json!({"QueueName": name, "Attributes": attributes});
        let created = self.sqs("CreateQueue", queue).await;
        created["QueueUrl"].as_str().expect("a URL").to_owned()
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
        let attributes: Map<String, Value> = attributes
            .into_iter()
            .map(|(name, attribute)| {
                let (kind, value) = parts(attribute);
                let attribute = json!({"DataType": kind, "StringValue": value});
                (name.to_owned(), attribute)
            })
            .collect();
        let message = json!({
            "QueueUrl": queue_url,
            "MessageBody": body,
            "MessageAttributes": attributes,
        });
        self.sqs("SendMessage", message).await;
    }

    pub(crate) async fn publish(
        &self,
        topic_arn: &str,
        message: String,
        attributes: Vec<(&str, Attribute)>,
    ) {
        let mut form = vec![
            ("TopicArn".to_owned(), topic_arn.to_owned()),
            ("Message".to_owned(), message),
        ];
        for (number, (name, attribute)) in (1..).zip(attributes) {
            let entry = format!("MessageAttributes.entry.{number}");
            let (kind, value) = parts(attribute);
            form.extend([
                (format!("{entry}.Name"), name.to_owned()),
                (format!("{entry}.Value.DataType"), kind.to_owned()),
                (format!("{entry}.Value.StringValue"), value),
            ]);
        }
        let form: Vec<_> = form.iter().map(|(key, value)| (&**key, &**value)).collect();
        self.sns("Publish", &form).await;
    }

    pub(crate) async fn take_all(&self, queue_url: &str) -> Vec<StoredMessage> {
        let mut taken = Vec::new();
        loop {
            let receive = json!({
                "QueueUrl": queue_url,
                "MaxNumberOfMessages": 10,
                "WaitTimeSeconds": 0,
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
                "MessageAttributeNames": ["All"],
            });
            let received = self.sqs("ReceiveMessage", receive).await;
            let Some(messages) = received["Messages"].as_array() else {
                return taken;
            };
            for message in messages {
                let handle = &message["ReceiptHandle"];
                let delete = json!({"QueueUrl": queue_url, "ReceiptHandle": handle});
                self.sqs("DeleteMessage", delete).await;
                taken.push(stored(message));
            }
        }
    }

    pub(crate) async fn queue_depth(&self, queue_url: &str) -> QueueDepth {
        let ask = json!({"QueueUrl": queue_url, "AttributeNames": ["All"]});
        let answer = self.sqs("GetQueueAttributes", ask).await;
        let figure = |name: &str| {
            let figure = answer["Attributes"][name].as_str();
            figure.and_then(|n| n.parse().ok()).expect("a number")
        };
        QueueDepth {
            visible: figure("ApproximateNumberOfMessages"),
            in_flight: figure("ApproximateNumberOfMessagesNotVisible"),
            delayed: figure("ApproximateNumberOfMessagesDelayed"),
        }
    }

    pub(crate) async fn purge(&self, queue_url: &str) {
        self.sqs("PurgeQueue", json!({"QueueUrl": queue_url})).await;
    }

    /// A call in the JSON protocol of SQS.
    pub(crate) async fn sqs(&self, operation: &str, input: Value) -> Value {
        let request = self
            .http
            .post(&self.endpoint)
            .header(AUTHORIZATION, self.caller("sqs"))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .body(input.to_string());
        let answer = answered(operation, request).await;
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    /// A call in the query protocol of SNS.
    async fn sns(&self, action: &str, parameters: &[(&str, &str)]) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2010-03-31")
            .extend_pairs(parameters)
            .finish();
        let request = self
            .http
            .post(&self.endpoint)
            .header(AUTHORIZATION, self.caller("sns"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        answered(action, request).await;
    }

    fn caller(&self, service: &str) -> String {
        let account = &self.account;
        format!(
            "AWS4-HMAC-SHA256 Credential={account}/20260101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        )
    }
}

async fn answered(operation: &str, request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a text"));
    assert!(status.is_success(), "{operation}: {status} {text}");
    text
}

/// Type and value.
fn parts(attribute: Attribute) -> (&'static str, String) {
    match attribute {
        Attribute::Text(text) => ("String", text),
        Attribute::Number(number) => ("Number", number.to_string()),
    }
}

fn stored(message: &Value) -> StoredMessage {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attributes: BTreeMap<String, String> = message["MessageAttributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, attribute)| (name.clone(), text(&attribute["StringValue"])))
        .collect();
    let count = message["Attributes"]["ApproximateReceiveCount"].as_str();
    StoredMessage {
        body: text(&message["Body"]),
        attributes,
        receive_count: count.and_then(|n| n.parse().ok()).expect("a number"),
    }
}
