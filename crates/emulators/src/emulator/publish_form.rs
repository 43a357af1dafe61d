//! Reads the form of a `Publish` or a `PublishBatch`, each pair of it once.

use std::borrow::Cow;

use compact_str::CompactString;

use super::{
    form::pairs,
    message::MessageAttribute,
    publication::Publication,
    topic_error::{TopicError, TopicErrorCode},
};

const BATCH: &str = "PublishBatchRequestEntries.member.";
const ATTRIBUTE: &str = "MessageAttributes.entry.";

/// A request to publish.
#[derive(Debug, Default)]
pub(super) struct PublishForm {
    pub(super) topic_arn: String,
    /// The ids of the entries; one, empty, without a batch.
    pub(super) ids: Vec<String>,
    /// Id by id.
    pub(super) publications: Vec<Publication>,
}

/// Things by the numbers that the names of the pairs have: few, and a pair is about the last of them.
type Numbered<T> = Vec<(u32, T)>;

/// What the pairs of one message have said so far.
#[derive(Default)]
struct Draft {
    id: String,
    message: String,
    subject: Option<String>,
    attributes: Numbered<(CompactString, MessageAttribute)>,
}

impl PublishForm {
    /// Refuses what the emulator would not act by, such as a message group or a message for each
    /// protocol.
    pub(super) fn read(form: &str) -> Result<Self, TopicError> {
        let mut read = Self::default();
        let mut drafts = Numbered::<Draft>::new();
        for (name, value) in pairs(form) {
            match &*name {
                "Action" | "Version" => {}
                "TopicArn" => read.topic_arn = value.into_owned(),
                name => {
                    let (number, field) = match name.strip_prefix(BATCH) {
                        Some(rest) => numbered(rest).ok_or_else(|| unknown(name))?,
                        None => (0, name),
                    };
                    let draft = with_number(&mut drafts, number);
                    draft.set(field, value).ok_or_else(|| unknown(name))?;
                }
            }
        }
        drafts.sort_by_key(|(number, _)| *number);
        for (_, draft) in drafts {
            let attributes = draft.attributes.into_iter();
            let attributes = attributes.map(|(_, attribute)| attribute).collect();
            let publication = Publication::new(draft.message, attributes, draft.subject);
            read.ids.push(draft.id);
            read.publications.push(publication);
        }
        Ok(read)
    }
}

impl Draft {
    /// Nothing for a field that is not known.
    fn set(&mut self, field: &str, value: Cow<'_, str>) -> Option<()> {
        match field {
            "Id" => self.id = value.into_owned(),
            "Message" => self.message = value.into_owned(),
            "Subject" => self.subject = Some(value.into_owned()),
            field => {
                let (number, field) = numbered(field.strip_prefix(ATTRIBUTE)?)?;
                let (name, attribute) = with_number(&mut self.attributes, number);
                match field {
                    "Name" => *name = value.into(),
                    "Value.DataType" => attribute.data_type = value.into(),
                    "Value.StringValue" => attribute.string_value = Some(value.into()),
                    "Value.BinaryValue" => attribute.binary_value = Some(value.into()),
                    _ => return None,
                }
            }
        }
        Some(())
    }
}

/// The thing of that number, a new one if there is none.
fn with_number<T: Default>(things: &mut Numbered<T>, number: u32) -> &mut T {
    let known = things.iter().rposition(|(known, _)| *known == number);
    let place = known.unwrap_or_else(|| {
        things.push((number, T::default()));
        things.len() - 1
    });
    &mut things[place].1
}

/// `3.Value.DataType` is 3 and `Value.DataType`.
fn numbered(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

fn unknown(parameter: &str) -> TopicError {
    TopicError::new(
        TopicErrorCode::InvalidParameter,
        format!("Invalid parameter: {parameter} Reason: the emulator has no such parameter"),
    )
}
