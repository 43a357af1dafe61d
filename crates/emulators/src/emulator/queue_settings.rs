//! The attributes of a queue that can be set.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::queue_error::{QueueError, QueueErrorCode};

/// The most that SQS takes, in bytes, as a message and as a batch: 1 MiB
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Fits in a `usize` and an `u32`.
const MAX_MESSAGE_SIZE: u32 = 1024 * 1024;

/// Attributes by name, as both directions have them.
pub(super) type QueueAttributes = BTreeMap<String, String>;

/// The default is that of SQS. Policies, encryption and tags are refused, as nothing here would act
/// by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueSettings {
    delay_seconds: u32,
    maximum_message_size: u32,
    retention_seconds: u32,
    receive_wait_seconds: u32,
    visibility_seconds: u32,
    pub(super) redrive: Option<RedrivePolicy>,
}

/// When a message becomes a dead letter, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RedrivePolicy {
    #[serde(rename = "deadLetterTargetArn")]
    pub(super) target_arn: String,
    /// SQS takes a number and its text, and answers with the number.
    #[serde(deserialize_with = "number_or_text")]
    pub(super) max_receive_count: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            maximum_message_size: MAX_MESSAGE_SIZE,
            retention_seconds: 4 * 24 * 60 * 60,
            receive_wait_seconds: 0,
            visibility_seconds: 30,
            redrive: None,
        }
    }
}

impl QueueSettings {
    /// Sets one attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), QueueError> {
        let number = |range: RangeInclusive<u32>| {
            let number = value.parse().ok().filter(|number| range.contains(number));
            number.ok_or_else(|| invalid_value(name))
        };
        match name {
            "DelaySeconds" => self.delay_seconds = number(0..=900)?,
            "MaximumMessageSize" => self.maximum_message_size = number(1024..=MAX_MESSAGE_SIZE)?,
            "MessageRetentionPeriod" => self.retention_seconds = number(60..=1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait_seconds = number(0..=20)?,
            "VisibilityTimeout" => self.visibility_seconds = number(0..=43_200)?,
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => {
                let policy: RedrivePolicy =
                    serde_json::from_str(value).map_err(|_| invalid_value(name))?;
                if !(1..=1000).contains(&policy.max_receive_count) {
                    return Err(QueueError::invalid(format!(
                        "Value {value} for parameter RedrivePolicy is invalid. Reason: Invalid \
                         value for maxReceiveCount: {}, valid values are from 1 to 1000 both \
                         inclusive.",
                        policy.max_receive_count
                    )));
                }
                self.redrive = Some(policy);
            }
            _ => return Err(unknown_attribute(name)),
        }
        Ok(())
    }

    /// All of them, as `GetQueueAttributes` answers.
    pub(super) fn attributes(&self) -> Result<QueueAttributes, QueueError> {
        let mut attributes: QueueAttributes = [
            ("DelaySeconds", self.delay_seconds),
            ("MaximumMessageSize", self.maximum_message_size),
            ("MessageRetentionPeriod", self.retention_seconds),
            ("ReceiveMessageWaitTimeSeconds", self.receive_wait_seconds),
            ("VisibilityTimeout", self.visibility_seconds),
        ]
        .into_iter()
        .map(|(name, number)| (name.to_owned(), number.to_string()))
        .collect();
        if let Some(policy) = &self.redrive {
            let policy = serde_json::to_string(policy)
                .map_err(|error| QueueError::invalid(error.to_string()))?;
            attributes.insert("RedrivePolicy".to_owned(), policy);
        }
        Ok(attributes)
    }

    /// How long a message that names no delay is held back.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_seconds.into())
    }

    /// How long a receive that does not say waits for a message.
    pub(super) fn receive_wait(&self) -> Duration {
        Duration::from_secs(self.receive_wait_seconds.into())
    }

    /// How long a receive that does not say hides its messages.
    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.visibility_seconds.into())
    }

    /// In bytes.
    pub(super) fn maximum_message_size(&self) -> usize {
        usize::try_from(self.maximum_message_size).unwrap_or(MAX_BYTES)
    }
}

/// For a name that no queue has.
pub(super) fn unknown_attribute(name: &str) -> QueueError {
    QueueError::new(
        QueueErrorCode::InvalidAttributeName,
        format!("Unknown Attribute {name}."),
    )
}

fn invalid_value(name: &str) -> QueueError {
    QueueError::new(
        QueueErrorCode::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}."),
    )
}

fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| serde::de::Error::custom("not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_and_an_unknown_name_are_refused() {
        let mut settings = QueueSettings::default();
        for (name, value, code) in [
            (
                "VisibilityTimeout",
                "43201",
                QueueErrorCode::InvalidAttributeValue,
            ),
            ("DelaySeconds", "-1", QueueErrorCode::InvalidAttributeValue),
            (
                "MaximumMessageSize",
                "1048577",
                QueueErrorCode::InvalidAttributeValue,
            ),
            ("RedrivePolicy", "{}", QueueErrorCode::InvalidAttributeValue),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"a","maxReceiveCount":0}"#,
                QueueErrorCode::InvalidParameterValueException,
            ),
            ("Visibility", "1", QueueErrorCode::InvalidAttributeName),
        ] {
            assert_eq!(settings.set(name, value).unwrap_err().code, code, "{name}");
        }
        assert_eq!(settings, QueueSettings::default());
    }

    #[test]
    fn a_redrive_policy_is_read_in_either_form_and_answered_in_one() {
        for count in ["5", "\"5\""] {
            let policy = format!(r#"{{"maxReceiveCount":{count},"deadLetterTargetArn":"arn"}}"#);
            let mut settings = QueueSettings::default();
            settings.set("RedrivePolicy", &policy).unwrap();
            assert_eq!(
                settings.attributes().unwrap()["RedrivePolicy"],
                r#"{"deadLetterTargetArn":"arn","maxReceiveCount":5}"#
            );
            settings.set("RedrivePolicy", "").unwrap();
            assert_eq!(settings.redrive, None);
        }
    }
}
