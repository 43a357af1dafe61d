use std::time::Duration;

use super::age::{ReceivedAges, waits_since};
use super::aws::{Attributes, Receive, Sqs, attribute, send_entry};
use super::delivery::{Receipt, Received, take_apart};
use super::entry::outcomes;
use super::{BatchSender, CallError, EntryOutcome, Outgoing};
use crate::runtime::{Dependency, Outage};
use contract::names;

/// The attributes that the suite gives its messages: all of them go with a
/// copy. A message has ten at most.
const ATTRIBUTES: [&str; 6] = [
    names::IMPORT_ID,
    names::ROW,
    names::COLUMNS,
    names::EVENT_TYPE,
    names::PUT_OFF,
    names::NOT_BEFORE,
];

/// An SQS queue. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) sqs: Sqs,
    pub(super) url: String,
    /// What receives tell of its age (see `watch`).
    pub(super) received: ReceivedAges,
    outage: Outage,
}

impl Queue {
    pub(super) fn new(sqs: Sqs, url: String) -> Self {
        Self {
            sqs,
            url,
            received: ReceivedAges::default(),
            outage: Outage::new("SQS"),
        }
    }

    /// The queue's name: the end of its URL.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Receives up to `most` messages, waiting up to `wait` for the first
    /// one. They stay hidden for `visibility`.
    pub(super) async fn receive(
        &self,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Received>, CallError> {
        let receive = Receive {
            most: i32::try_from(most).unwrap_or(i32::MAX),
            wait: whole_seconds(wait),
            visibility: whole_seconds(visibility),
            attributes: &ATTRIBUTES,
        };
        let messages = self.sqs.receive(&self.url, &receive).await?;
        self.received.note(messages.iter().filter_map(waits_since));
        Ok(messages.into_iter().map(take_apart).collect())
    }

    /// Deletes up to ten messages; an outcome for each, in their order.
    pub(super) async fn delete(
        &self,
        receipts: &[&Receipt],
    ) -> Result<Vec<EntryOutcome>, CallError> {
        let handles = receipts.iter().map(|receipt| receipt.handle.as_str());
        let failed = self.sqs.delete(&self.url, handles).await?;
        outcomes(receipts.len(), failed)
    }

    /// Sets for how long up to ten messages stay hidden from now on; an
    /// outcome for each, in their order.
    pub(super) async fn change_visibility(
        &self,
        receipts: &[(&Receipt, Duration)],
    ) -> Result<Vec<EntryOutcome>, CallError> {
        let handles = receipts
            .iter()
            .map(|(receipt, hidden)| (receipt.handle.as_str(), whole_seconds(*hidden)));
        let failed = self.sqs.change_visibility(&self.url, handles).await?;
        outcomes(receipts.len(), failed)
    }
}

impl Dependency for Queue {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

/// The attributes of a message, as SQS takes them.
fn attributes_of(message: &Outgoing) -> Result<Attributes, CallError> {
    let attributes = message.attributes();
    attributes
        .map(|(name, kind, value)| Ok((name.to_owned(), attribute(kind, &value)?)))
        .collect()
}

impl BatchSender for Queue {
    const MAX_BYTES: usize = names::SQS_MAX_BYTES;

    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let request = entries.iter().enumerate();
        let request = request
            .map(|(place, entry)| send_entry(place, &entry.body, attributes_of(entry)?, None));
        let request = request.collect::<Result<_, _>>()?;
        let failed = self.sqs.send(&self.url, request).await?;
        outcomes(entries.len(), failed)
    }
}

/// Seconds as SQS takes them: a part of one counts as one.
pub(super) fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
