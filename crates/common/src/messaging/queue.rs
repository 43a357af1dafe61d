use std::time::{Duration, SystemTime};

use super::age::{ReceivedAges, waits_since};
use super::aws::{Attributes, Receive, Sqs, attribute, send_entry, sent_at};
use super::delivery::{Receipt, Received, take_apart};
use super::entry::outcomes;
use super::spans::{Spans, outcomes_within};
use super::{BatchSender, CallError, EntryOutcome, Outgoing};
use crate::runtime::{Dependency, Outage, TraceContext, Tracer};
use contract::names;

/// The attributes that the suite gives its messages: all of them go with a
/// copy. A message has ten at most.
const ATTRIBUTES: [&str; 8] = [
    names::IMPORT_ID,
    names::ROW,
    names::COLUMNS,
    names::EVENT_TYPE,
    names::PUT_OFF,
    names::NOT_BEFORE,
    names::TRACEPARENT,
    names::TRACESTATE,
];

/// An SQS queue. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) sqs: Sqs,
    pub(super) url: String,
    /// What receives tell of its age (see `watch`).
    pub(super) received: ReceivedAges,
    pub(super) spans: Spans,
    outage: Outage,
}

impl Queue {
    pub(super) fn new(sqs: Sqs, url: String, tracer: Tracer) -> Self {
        Self {
            spans: Spans::of_queue(name_in(&url), tracer),
            sqs,
            url,
            received: ReceivedAges::default(),
            outage: Outage::new("SQS"),
        }
    }

    /// The queue's name: the end of its URL.
    pub fn name(&self) -> &str {
        name_in(&self.url)
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
        let begun = SystemTime::now();
        let messages = self.sqs.receive(&self.url, &receive).await?;
        self.received.note(messages.iter().filter_map(waits_since));
        let sent = messages.iter().filter_map(sent_at).min();
        let received: Vec<Received> = messages.into_iter().map(take_apart).collect();
        self.spans.received(begun, sent, &received);
        Ok(received)
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

fn name_in(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// The attributes of a message of that trace, as SQS takes them.
fn attributes_of(
    message: &Outgoing,
    trace: Option<&TraceContext>,
) -> Result<Attributes, CallError> {
    let attributes = message.attributes(trace);
    attributes
        .map(|(name, kind, value)| Ok((name.to_owned(), attribute(kind, &value)?)))
        .collect()
}

impl BatchSender for Queue {
    const MAX_BYTES: usize = names::SQS_MAX_BYTES;

    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let traces = entries.iter().map(|entry| entry.trace.as_ref());
        let span = self.spans.send(entries.len(), traces);
        let request = entries.iter().enumerate();
        let request = request.map(|(place, entry)| {
            let trace = span.context_of(entry.trace.as_ref());
            let attributes = attributes_of(entry, trace.as_ref())?;
            send_entry(place, &entry.body, attributes, None)
        });
        let request = request.collect::<Result<_, _>>()?;
        let sent = self.sqs.send(&self.url, request).await;
        outcomes_within(&span, entries.len(), sent)
    }
}

/// Seconds as SQS takes them: a part of one counts as one.
pub(super) fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
