//! Reads the form of a `Publish` or a `PublishBatch`, each pair of it once.

use std::collections::{BTreeMap, HashMap};

use rustack_sns_model::types::MessageAttributeValue;

use super::topics::Publication;

const BATCH: &str = "PublishBatchRequestEntries.member.";
const ATTRIBUTE: &str = "MessageAttributes.entry.";

/// A request to publish, as far as it names nothing but messages and their attributes.
#[derive(Debug)]
pub(super) struct PublishForm {
    pub(super) topic_arn: String,
    pub(super) messages: Messages,
}

/// What is to be published.
#[derive(Debug)]
pub(super) enum Messages {
    /// The message of a `Publish`.
    One(Publication),
    /// The entries of a `PublishBatch`, in their order.
    Batch(Vec<Entry>),
}

/// One message of a batch.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) publication: Publication,
}

/// What the pairs of one message have said so far.
#[derive(Default)]
struct Draft {
    id: String,
    message: String,
    attributes: BTreeMap<u32, (String, MessageAttributeValue)>,
}

impl PublishForm {
    /// Nothing for another operation, and for one with a parameter that is not read here, such as a
    /// subject, a group or a binary attribute.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut batch = None;
        let mut topic_arn = String::new();
        let mut drafts = BTreeMap::<u32, Draft>::new();
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "Action" => {
                    batch = Some(match &*value {
                        "Publish" => false,
                        "PublishBatch" => true,
                        _ => return None,
                    });
                }
                "Version" => {}
                "TopicArn" => topic_arn = value.into_owned(),
                name => {
                    let (number, field) = match name.strip_prefix(BATCH) {
                        Some(rest) => numbered(rest)?,
                        None => (0, name),
                    };
                    let draft = drafts.entry(number).or_default();
                    draft.set(field, value.into_owned())?;
                }
            }
        }
        let messages = if batch? {
            Messages::Batch(drafts.into_values().map(Draft::into_entry).collect())
        } else {
            Messages::One(drafts.remove(&0)?.into_entry().publication)
        };
        Some(Self {
            topic_arn,
            messages,
        })
    }
}

impl Draft {
    fn set(&mut self, field: &str, value: String) -> Option<()> {
        match field {
            "Id" => self.id = value,
            "Message" => self.message = value,
            field => {
                let (number, field) = numbered(field.strip_prefix(ATTRIBUTE)?)?;
                let (name, attribute) = self.attributes.entry(number).or_default();
                match field {
                    "Name" => *name = value,
                    "Value.DataType" => attribute.data_type = value,
                    "Value.StringValue" => attribute.string_value = Some(value),
                    _ => return None,
                }
            }
        }
        Some(())
    }

    fn into_entry(self) -> Entry {
        Entry {
            id: self.id,
            publication: Publication {
                message: self.message,
                attributes: self.attributes.into_values().collect::<HashMap<_, _>>(),
            },
        }
    }
}

/// `3.Value.DataType` is 3 and `Value.DataType`.
fn numbered(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once('.')?;
    Some((number.parse().ok()?, rest))
}
