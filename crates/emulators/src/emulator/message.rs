//! A message, as queue and topic hold it.

use std::time::{SystemTime, UNIX_EPOCH};

use compact_str::CompactString;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most attributes that a message has.
const MAX_ATTRIBUTES: usize = 10;

/// Message attributes by name: a handful of short texts, so they are in one piece of memory.
pub(super) type Attributes = LiteMap<CompactString, MessageAttribute>;

/// An attribute as SQS writes it.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MessageAttribute {
    pub(super) data_type: CompactString,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<CompactString>,
    /// In base 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<Box<str>>,
}

/// A message that was accepted. All queues that have it share it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    /// When it was sent, in Unix milliseconds.
    pub(super) sent_at: u64,
}

impl Message {
    pub(super) fn new(body: String, attributes: Attributes) -> Self {
        Self {
            id: random_id(),
            body,
            attributes,
            sent_at: unix_millis(),
        }
    }

    /// In bytes; see [`size`].
    pub(super) fn size(&self) -> usize {
        size(&self.body, &self.attributes)
    }

    /// What is wrong with its attributes, by the rules that both services have.
    pub(super) fn check_attributes(&self) -> Result<(), String> {
        let attributes = self.attributes.len();
        if attributes > MAX_ATTRIBUTES {
            return Err(format!(
                "Number of message attributes [{attributes}] exceeds the allowed maximum \
                 [{MAX_ATTRIBUTES}]."
            ));
        }
        for (name, attribute) in self.attributes.iter() {
            attribute.check(name)?;
        }
        Ok(())
    }
}

impl MessageAttribute {
    fn check(&self, name: &str) -> Result<(), String> {
        let named = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.len() > 256 || !name.chars().all(named) {
            return Err(format!("The message attribute name '{name}' is invalid."));
        }
        let kind = self.data_type.split('.').next().unwrap_or_default();
        let sound = match (kind, self.string_value.as_deref(), &self.binary_value) {
            ("String", Some(text), None) => !text.is_empty(),
            ("Number", Some(text), None) => text.parse().is_ok_and(f64::is_finite),
            ("Binary", None, Some(letters)) => !letters.is_empty(),
            _ => false,
        };
        if sound {
            return Ok(());
        }
        Err(format!(
            "The message attribute '{name}' must contain a non-empty value of its type; it has \
             the type '{}'.",
            self.data_type
        ))
    }
}

/// The bytes of a message as both services count: the body, and name, type and value of each attribute.
pub(super) fn size(body: &str, attributes: &Attributes) -> usize {
    let sizes = attributes.iter().map(|(name, attribute)| {
        let text = attribute
            .string_value
            .as_ref()
            .map_or(0, CompactString::len);
        // Four letters of base 64 are three bytes, at most.
        let binary = attribute.binary_value.as_ref();
        let binary = binary.map_or(0, |letters| letters.len() / 4 * 3);
        name.len() + attribute.data_type.len() + text + binary
    });
    body.len() + sizes.sum::<usize>()
}

/// Whether SQS takes a text: the characters that XML 1.0 can carry
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub(super) fn has_only_allowed_characters(text: &str) -> bool {
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    !text.bytes().fold(false, |any, byte| any | control(byte))
        && (text.is_ascii() || !text.contains(['\u{fffe}', '\u{ffff}']))
}

/// Random, and without a system call.
pub(super) fn random_id() -> Uuid {
    let bytes = fastrand::u128(..).to_ne_bytes();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The time now.
pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
