//! What a queue gets of a message that is not delivered raw
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::publication::Publication;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'static str,
    message_id: Uuid,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: String,
    signature_version: &'static str,
    /// Nobody's: a reader of queues has no reason to check it.
    signature: &'static str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'static str,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    r#type: &'a str,
    value: &'a str,
}

/// The envelope of a message, for this subscription.
pub(super) fn envelope(
    topic_arn: &str,
    subscription_arn: &str,
    publication: &Publication,
) -> serde_json::Result<String> {
    let message = &publication.message;
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let text = attribute.string_value.as_deref();
        let value = text.or(attribute.binary_value.as_deref()).unwrap_or("");
        let r#type = &*attribute.data_type;
        (&**name, Attribute { r#type, value })
    });
    serde_json::to_string(&Envelope {
        r#type: "Notification",
        message_id: message.id,
        topic_arn,
        subject: publication.subject.as_deref(),
        message: &message.body,
        timestamp: format!("{:.3}", Timestamp::now()),
        signature_version: "1",
        signature: "",
        signing_cert_url: "",
        unsubscribe_url: format!("?Action=Unsubscribe&SubscriptionArn={subscription_arn}"),
        message_attributes: attributes.collect(),
    })
}
