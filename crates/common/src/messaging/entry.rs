use std::fmt;
use std::future::Future;

use compact_str::{CompactString, ToCompactString};

use super::refusal;
use crate::runtime::{Dependency, TraceContext, Transient, with_causes};
use contract::{RowId, names};

/// A message to be sent to a queue or a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The body.
    pub body: String,
    /// The row it belongs to: the attributes `import_id` and `row`.
    pub row: Option<RowId>,
    /// The attribute `columns`: what its records have of the optional columns.
    pub columns: Option<String>,
    /// The attribute `event_type`, on a topic.
    pub event_type: Option<&'static str>,
    /// The trace that it belongs to. Where the sender has traces on, the call
    /// that sends the message goes on with it, and the attributes `traceparent`
    /// and `tracestate` name that call.
    pub trace: Option<TraceContext>,
}

impl Outgoing {
    /// Bytes that SQS and SNS count: the body, and the name, type and value
    /// of each attribute.
    pub fn size(&self) -> usize {
        let attributes = self
            .attributes(self.trace.as_ref())
            .map(|(name, kind, value)| name.len() + kind.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }

    /// Name, type and value of each message attribute, with those of that trace.
    pub(super) fn attributes(
        &self,
        trace: Option<&TraceContext>,
    ) -> impl Iterator<Item = (&'static str, &'static str, CompactString)> + use<> {
        let columns = self.columns.as_deref();
        let columns = columns.map(|lines| (names::COLUMNS, "String", CompactString::from(lines)));
        let import_id = self.row.map(|row| {
            (
                names::IMPORT_ID,
                "String",
                row.import_id.to_compact_string(),
            )
        });
        let row = self
            .row
            .map(|row| (names::ROW, "Number", row.row.to_compact_string()));
        let event_type = self.event_type.map(|event_type| {
            (
                names::EVENT_TYPE,
                "String",
                CompactString::const_new(event_type),
            )
        });
        let of_row = import_id.into_iter().chain(row).chain(columns);
        let fields = trace.map(TraceContext::fields).into_iter().flatten();
        let of_trace = fields.map(|(name, value)| (name, "String", CompactString::from(value)));
        of_row.chain(event_type).chain(of_trace)
    }
}

/// What became of one entry of a batch call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryOutcome {
    /// The service has it.
    Accepted,
    /// The service will never take it as it is.
    Refused(String),
    /// The service did not take it this time.
    Failed(String),
}

/// An entry that a batch call did not take.
#[derive(Debug)]
pub(super) struct FailedEntry {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) message: Option<String>,
}

impl FailedEntry {
    fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("no message")
    }

    fn is_refused(&self) -> bool {
        refusal::blames_entry(&self.code, self.message())
    }
}

impl From<FailedEntry> for EntryOutcome {
    fn from(failed: FailedEntry) -> Self {
        let text = format!("{}: {}", failed.code, failed.message());
        if failed.is_refused() {
            Self::Refused(text)
        } else {
            Self::Failed(text)
        }
    }
}

/// The outcomes of a batch call: every entry that is not listed as failed was
/// accepted. The ids are the entries' places.
///
/// # Errors
/// Where none was accepted and what kept one of them from it is not about
/// that message: the queue, the topic, a key or a limit is as good as away.
/// A fault within the service that keeps a lone message from it is none of
/// these, as others may be taken.
pub(super) fn outcomes(
    entries: usize,
    failed: Vec<FailedEntry>,
) -> Result<Vec<EntryOutcome>, CallError> {
    if failed.len() == entries
        && let Some(held) = failed.iter().find(|entry| !entry.is_refused())
        && (entries > 1 || !refusal::is_a_fault_of_the_service(&held.code))
    {
        return Err(CallError::with_code(&held.code, held.message()));
    }
    let mut outcomes = vec![EntryOutcome::Accepted; entries];
    for entry in failed {
        let place = entry.id.parse().ok();
        let place = place.and_then(|place: usize| outcomes.get_mut(place));
        if let Some(place) = place {
            *place = entry.into();
        }
    }
    Ok(outcomes)
}

/// A whole call failed; nothing is known of its entries.
#[derive(Debug)]
pub struct CallError {
    code: Option<String>,
    message: String,
}

impl CallError {
    /// An error without a code, such as a connection that broke.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            code: None,
            message: message.into(),
        }
    }

    /// An error that another one led to, told on one line with its causes.
    pub(super) fn caused_by(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(format!("{what}: {}", with_causes(error)))
    }

    /// An error that the service names by a code.
    pub fn with_code(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            message: message.into(),
        }
    }

    /// What the service calls it, where it answered.
    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// True when the service refused what the call carried: the same call
    /// will fail again, calls with fewer entries may not.
    pub fn blames_content(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| refusal::blames_entry(code, &self.message))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CallError {}

/// All but a refusal of the content may pass: the service is away or busy, or
/// an operator mends a queue or a permission while messages wait.
impl Transient for CallError {
    fn is_transient(&self) -> bool {
        !self.blames_content()
    }
}

/// A message of a batch call.
pub trait BatchEntry {
    /// Bytes that SQS and SNS count.
    fn size(&self) -> usize;
}

impl BatchEntry for Outgoing {
    fn size(&self) -> usize {
        Outgoing::size(self)
    }
}

/// Something that takes up to ten messages a call: a queue or a topic.
pub trait BatchSender<M = Outgoing>: Dependency + Send + Sync {
    /// Most bytes of a call, by [`BatchEntry::size`].
    const MAX_BYTES: usize = names::SNS_MAX_BYTES;

    /// Sends one batch and gives the outcome of each entry, in their order.
    fn send_batch(
        &self,
        entries: &[&M],
    ) -> impl Future<Output = Result<Vec<EntryOutcome>, CallError>> + Send;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_size_counts_attributes_as_the_service_does() {
        let bare = Outgoing {
            body: "12345".into(),
            row: None,
            columns: None,
            event_type: None,
            trace: None,
        };
        assert_eq!(bare.size(), 5);
        let full = Outgoing {
            row: Some(RowId {
                import_id: Uuid::nil(),
                row: 100,
            }),
            event_type: Some("x"),
            trace: TraceContext::read(|name| {
                let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
                (name == names::TRACEPARENT).then_some(parent)
            }),
            ..bare
        };
        let attributes =
            "import_id".len() + 6 + 36 + "row".len() + 6 + 3 + "event_type".len() + 6 + 1;
        let trace = "traceparent".len() + 6 + TraceContext::PARENT_BYTES;
        assert_eq!(full.size(), 5 + attributes + trace);
    }
}
