//! SNS over HTTP (AWS Query, a form answered in XML: <https://docs.aws.amazon.com/sns/latest/api/>).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use quick_xml::se::{SeError, Serializer};
use serde::Serialize;
use uuid::Uuid;

use super::{
    ACCOUNT_ID,
    form::pairs,
    message::random_id,
    publication::Publication,
    publish_form::PublishForm,
    queue_api::{MAX_MESSAGES, is_entry_id},
    topic_error::{TopicError, TopicErrorCode},
    topics::{SubscriptionSettings, Topics},
};

/// The namespace of an answer.
const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// Answers requests to SNS.
#[derive(Debug)]
pub(super) struct TopicApi {
    topics: Arc<Topics>,
}

/// The parameters of a request that does not publish.
type Parameters<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// The element of an answer that has its result.
type Answer = Result<String, TopicError>;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    message_id: Uuid,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublishedBatch {
    failed: Members<FailedEntry>,
    successful: Members<PublishedEntry>,
}

#[derive(Serialize)]
struct Members<T> {
    member: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublishedEntry {
    id: String,
    message_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    code: &'static str,
    message: String,
    sender_fault: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedTopic {
    topic_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Subscribed {
    subscription_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TopicAttributes<'a> {
    attributes: Entries<'a>,
}

#[derive(Serialize)]
struct Entries<'a> {
    entry: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal<'a> {
    r#type: &'static str,
    code: &'static str,
    message: &'a str,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self { member: Vec::new() }
    }
}

impl TopicApi {
    pub(super) fn new(topics: Arc<Topics>) -> Self {
        Self { topics }
    }

    pub(super) fn answer(&self, body: &[u8]) -> Response<Full<Bytes>> {
        // A form is ASCII, so that this one is nobody's.
        let form = str::from_utf8(body).unwrap_or_default();
        let action = pairs(form).find(|(name, _)| name == "Action");
        let action = action.map(|(_, action)| action).unwrap_or_default();
        let request_id = random_id();
        let mut response = Response::new(Full::default());
        let xml = match self.perform(&action, form) {
            Ok(result) => format!(
                "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>\
                 {request_id}</RequestId></ResponseMetadata></{action}Response>"
            ),
            Err(error) => {
                *response.status_mut() = error.code.status();
                refusal(&error, request_id)
            }
        };
        *response.body_mut() = Full::from(xml);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        if let Ok(id) = HeaderValue::try_from(request_id.to_string()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }

    fn perform(&self, action: &str, form: &str) -> Answer {
        match action {
            "PublishBatch" => self.publish_batch(PublishForm::read(form)?),
            "Publish" => self.publish(&PublishForm::read(form)?),
            "CreateTopic" => {
                let topic_arn = self
                    .topics
                    .create(&parameter(&pairs(form).collect(), "Name")?)?;
                write("CreateTopicResult", &CreatedTopic { topic_arn })
            }
            "Subscribe" => self.subscribe(&pairs(form).collect()),
            "GetTopicAttributes" => {
                self.attributes(&parameter(&pairs(form).collect(), "TopicArn")?)
            }
            _ => Err(TopicError::new(
                TopicErrorCode::InvalidAction,
                "The action or operation requested is invalid, or the emulator has it not.",
            )),
        }
    }

    fn publish(&self, form: &PublishForm) -> Answer {
        if !Publication::fit_one_call(&form.publications) {
            return Err(TopicError::invalid("Message too long"));
        }
        let published = self.topics.publish(&form.topic_arn, &form.publications)?;
        let message_id = published
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(TopicError::invalid("Empty message")))?;
        write("PublishResult", &Published { message_id })
    }

    fn publish_batch(&self, form: PublishForm) -> Answer {
        check_batch(&form)?;
        let published = self.topics.publish(&form.topic_arn, &form.publications)?;
        let mut answer = PublishedBatch::default();
        for (id, outcome) in form.ids.into_iter().zip(published) {
            match outcome {
                Ok(message_id) => {
                    let entry = PublishedEntry { id, message_id };
                    answer.successful.member.push(entry);
                }
                Err(TopicError { code, message }) => answer.failed.member.push(FailedEntry {
                    id,
                    code: code.name(),
                    message,
                    sender_fault: code.is_sender_fault(),
                }),
            }
        }
        write("PublishBatchResult", &answer)
    }

    fn subscribe(&self, parameters: &Parameters<'_>) -> Answer {
        let mut settings = SubscriptionSettings::default();
        for number in 1.. {
            let part = |part: &str| {
                let name = format!("Attributes.entry.{number}.{part}");
                parameters.get(&*name)
            };
            let (Some(name), Some(value)) = (part("key"), part("value")) else {
                break;
            };
            settings.set(name, value)?;
        }
        if parameter(parameters, "Protocol")? != "sqs" {
            return Err(TopicError::invalid(
                "Protocol Reason: the emulator has sqs alone",
            ));
        }
        let topic_arn = parameter(parameters, "TopicArn")?;
        let queue_arn = parameter(parameters, "Endpoint")?;
        let subscription_arn = self.topics.subscribe(&topic_arn, &queue_arn, settings)?;
        write("SubscribeResult", &Subscribed { subscription_arn })
    }

    fn attributes(&self, topic_arn: &str) -> Answer {
        let subscribers = self.topics.subscribers(topic_arn)?.to_string();
        let entry = [
            ("Owner", ACCOUNT_ID),
            ("SubscriptionsConfirmed", &subscribers),
            ("TopicArn", topic_arn),
        ];
        let entry = entry.map(|(key, value)| Entry { key, value }).into();
        let attributes = Entries { entry };
        write("GetTopicAttributesResult", &TopicAttributes { attributes })
    }
}

fn parameter<'a>(parameters: &Parameters<'a>, name: &str) -> Result<Cow<'a, str>, TopicError> {
    let value = parameters.get(name).cloned();
    value.ok_or_else(|| TopicError::invalid(format_args!("{name} Reason: no value")))
}

/// What SNS refuses a batch for as a whole.
fn check_batch(form: &PublishForm) -> Result<(), TopicError> {
    let refused = |code, message: &str| Err(TopicError::new(code, message));
    if form.ids.is_empty() {
        return refused(
            TopicErrorCode::EmptyBatchRequest,
            "The batch request doesn't contain any entries.",
        );
    }
    if form.ids.len() > MAX_MESSAGES {
        return refused(
            TopicErrorCode::TooManyEntriesInBatchRequest,
            "The batch request contains more entries than permissible.",
        );
    }
    for (place, id) in form.ids.iter().enumerate() {
        if !is_entry_id(id) {
            return refused(
                TopicErrorCode::InvalidBatchEntryId,
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            );
        }
        if form.ids[..place].contains(id) {
            return refused(
                TopicErrorCode::BatchEntryIdsNotDistinct,
                "Two or more batch entries in the request have the same Id.",
            );
        }
    }
    if Publication::fit_one_call(&form.publications) {
        return Ok(());
    }
    refused(
        TopicErrorCode::BatchRequestTooLong,
        "The length of all the batch messages put together is more than the limit.",
    )
}

fn write(element: &str, result: &impl Serialize) -> Answer {
    xml(element, result).map_err(|error| TopicError::internal(error.to_string()))
}

fn refusal(error: &TopicError, request_id: Uuid) -> String {
    let fault = if error.code.is_sender_fault() {
        "Sender"
    } else {
        "Receiver"
    };
    let refusal = Refusal {
        r#type: fault,
        code: error.code.name(),
        message: &error.message,
    };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">{}<RequestId>{request_id}</RequestId></ErrorResponse>",
        xml("Error", &refusal).unwrap_or_default()
    )
}

fn xml(element: &str, content: &impl Serialize) -> Result<String, SeError> {
    let mut xml = String::with_capacity(1024);
    let mut serializer = Serializer::with_root(&mut xml, Some(element))?;
    // AWS writes an empty list so.
    serializer.expand_empty_elements(true);
    content.serialize(serializer)?;
    Ok(xml)
}
