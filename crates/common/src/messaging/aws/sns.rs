//! SNS over AWS Query: <https://docs.aws.amazon.com/sns/latest/api/>.

use std::fmt::{Display, Write};

use compact_str::CompactString;
use serde::Deserialize;

use super::client::{ATTEMPT_TIMEOUT, Answer, Call, Client};
use super::sqs::FailedEntry;
use crate::messaging::CallError;

/// The version of the interface.
const VERSION: &str = "2010-03-31";

/// The operations that a service calls.
pub(super) const OPERATIONS: [&str; 2] = [PUBLISH, PROBE];
const PUBLISH: &str = "PublishBatch";
const PROBE: &str = "GetTopicAttributes";

/// Bytes that most requests have room in.
const TYPICAL_FORM: usize = 20 * 1024;

/// Calls of SNS. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Sns(Client);

/// An entry of `PublishBatch`. Entries are known by their place.
pub(in crate::messaging) struct TopicEntry<'a, A> {
    pub(in crate::messaging) message: &'a str,
    /// Name, type and value of each attribute.
    pub(in crate::messaging) attributes: A,
}

#[derive(Deserialize)]
struct PublishBatchResponse {
    #[serde(rename = "PublishBatchResult")]
    result: PublishBatchResult,
}

#[derive(Deserialize)]
struct PublishBatchResult {
    #[serde(rename = "Failed", default)]
    failed: Members,
}

#[derive(Default, Deserialize)]
struct Members {
    #[serde(rename = "member", default)]
    entries: Vec<FailedEntry>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    #[serde(rename = "Error")]
    error: Refusal,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

impl Sns {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// `PublishBatch`: gives the entries that SNS did not take.
    pub(in crate::messaging) async fn publish<'a, A>(
        &self,
        topic_arn: &str,
        entries: impl IntoIterator<Item = TopicEntry<'a, A>>,
    ) -> Result<Vec<FailedEntry>, CallError>
    where
        A: IntoIterator<Item = (&'static str, &'static str, CompactString)>,
    {
        let mut form = Form::new(PUBLISH, topic_arn);
        for (index, entry) in entries.into_iter().enumerate() {
            let at = format!("PublishBatchRequestEntries.member.{}", index + 1);
            form.add(format_args!("{at}.Id"), &index.to_string());
            form.add(format_args!("{at}.Message"), entry.message);
            for (number, (name, kind, value)) in (1..).zip(entry.attributes) {
                let at = format!("{at}.MessageAttributes.entry.{number}");
                form.add(format_args!("{at}.Name"), name);
                form.add(format_args!("{at}.Value.DataType"), kind);
                form.add(format_args!("{at}.Value.StringValue"), &value);
            }
        }
        let body = self.call(form).await?;
        let answer: PublishBatchResponse = quick_xml::de::from_str(&body)
            .map_err(|error| CallError::new(format!("PublishBatch answered: {error}")))?;
        Ok(answer.result.failed.entries)
    }

    /// `GetTopicAttributes`, whose answer is not looked at: whether the topic
    /// answers.
    pub(in crate::messaging) async fn probe(&self, topic_arn: &str) -> Result<(), CallError> {
        self.call(Form::new(PROBE, topic_arn)).await?;
        Ok(())
    }

    async fn call(&self, form: Form) -> Result<String, CallError> {
        let call = Call {
            operation: form.action,
            content_type: "application/x-www-form-urlencoded",
            target: None,
            body: form.text.into_bytes().into(),
            timeout: ATTEMPT_TIMEOUT,
        };
        let answer = self.0.post(call).await?;
        if answer.status.is_success() {
            Ok(String::from_utf8_lossy(&answer.body).into_owned())
        } else {
            Err(refusal(&answer))
        }
    }
}

/// The parameters of a call.
struct Form {
    action: &'static str,
    text: String,
}

impl Form {
    fn new(action: &'static str, topic_arn: &str) -> Self {
        let text = String::with_capacity(TYPICAL_FORM);
        let mut form = Self { action, text };
        form.text.push_str("Action=");
        form.text.push_str(action);
        form.text.push_str("&Version=");
        form.text.push_str(VERSION);
        form.add("TopicArn", topic_arn);
        form
    }

    /// `name` holds nothing that must be encoded.
    fn add(&mut self, name: impl Display, value: &str) {
        // Writing to a text never fails.
        let _ = write!(self.text, "&{name}=");
        self.text
            .extend(form_urlencoded::byte_serialize(value.as_bytes()));
    }
}

fn refusal(answer: &Answer) -> CallError {
    let text = String::from_utf8_lossy(&answer.body);
    match quick_xml::de::from_str::<ErrorResponse>(&text) {
        Ok(ErrorResponse { error }) => CallError::with_code(error.code, error.message),
        Err(_) => CallError::new(format!("SNS answered {}", answer.status)),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn the_failed_entries_are_read() {
        let failed = |members: &str| -> Vec<FailedEntry> {
            let xml = format!(
                r#"<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>{members}<Successful><member><Id>1</Id><MessageId>m</MessageId></member></Successful></PublishBatchResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"#
            );
            let answer: PublishBatchResponse = quick_xml::de::from_str(&xml).unwrap();
            answer.result.failed.entries
        };
        assert!(failed("").is_empty());
        assert!(failed("<Failed/>").is_empty());
        let entries = failed(
            "<Failed><member><Id>0</Id><Code>InternalError</Code><Message>x &amp; y</Message><SenderFault>false</SenderFault></member><member><Id>2</Id><Code>InvalidParameter</Code><SenderFault>true</SenderFault></member></Failed>",
        );
        let read: Vec<_> = entries
            .iter()
            .map(|e| (&*e.id, &*e.code, e.message.as_deref(), e.sender_fault))
            .collect();
        assert_eq!(
            read,
            [
                ("0", "InternalError", Some("x & y"), false),
                ("2", "InvalidParameter", None, true)
            ]
        );
    }

    #[test]
    fn a_refusal_has_its_code() {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>";
        let error = refusal(&Answer {
            status: StatusCode::BAD_REQUEST,
            body: body.into(),
        });
        assert!(error.blames_content());
        let error = refusal(&Answer {
            status: StatusCode::BAD_GATEWAY,
            body: "<html>".into(),
        });
        assert_eq!(error.to_string(), "SNS answered 502 Bad Gateway");
    }

    #[test]
    fn values_are_encoded() {
        let mut form = Form::new("PublishBatch", "arn:aws:sns:a:b:c");
        form.add("Message", "{\"name\":\"Zé & Cia\"}");
        assert_eq!(
            form.text,
            "Action=PublishBatch&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aa%3Ab%3Ac\
             &Message=%7B%22name%22%3A%22Z%C3%A9+%26+Cia%22%7D"
        );
    }
}
