//! A message that is to come again later than a queue should hide it: each
//! receive counts, so a copy of it is sent with a delay, and then it is deleted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::aws::{Attributes, attribute, send_entry, size_of};
use super::delivery::{Receipt, not_before};
use super::queue::whole_seconds;
use super::spans::outcomes_within;
use super::{BatchEntry, BatchSender, CallError, Delivery, EntryOutcome, Queue};
use crate::runtime::TraceContext;
use contract::names;

/// Longest delay of a message that SQS takes. A longer wait takes several
/// copies, one after another.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// A copy of a message, for its own queue: the same body and attributes, and
/// how often and until when it is put off.
#[derive(Clone, Debug)]
pub(super) struct PutOff {
    body: String,
    attributes: Attributes,
    trace: Option<TraceContext>,
    times: u32,
    /// Unix seconds.
    not_before: u64,
}

impl PutOff {
    /// Puts a message off once more, until that time.
    pub(super) fn until(time: SystemTime, delivery: &Delivery, receipt: &Receipt) -> Self {
        let times = delivery.put_off.saturating_add(1);
        Self::copy(time, times, delivery, receipt)
    }

    /// The same, which does not count.
    pub(super) fn uncounted(time: SystemTime, delivery: &Delivery, receipt: &Receipt) -> Self {
        Self::copy(time, delivery.put_off, delivery, receipt)
    }

    /// Lets a message go on waiting for the time until which it is put off.
    pub(super) fn further(delivery: &Delivery, receipt: &Receipt) -> Self {
        let time = not_before(&receipt.attributes).unwrap_or(UNIX_EPOCH);
        Self::uncounted(time, delivery, receipt)
    }

    fn copy(time: SystemTime, times: u32, delivery: &Delivery, receipt: &Receipt) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            body: delivery.body.clone(),
            attributes: receipt.attributes.clone(),
            trace: delivery.trace.clone(),
            times,
            not_before: since.as_secs() + u64::from(since.subsec_nanos() > 0),
        }
    }

    /// The delay of a copy that is sent now.
    fn delay(&self, now: SystemTime) -> Duration {
        let until = UNIX_EPOCH.checked_add(Duration::from_secs(self.not_before));
        let wait = until.and_then(|time| time.duration_since(now).ok());
        wait.unwrap_or_default().min(LONGEST_DELAY)
    }

    /// The attributes of the copy, which belongs to that trace.
    fn attributes(&self, trace: Option<&TraceContext>) -> Result<Attributes, CallError> {
        let mut attributes = self.attributes.clone();
        for (name, number) in [
            (names::PUT_OFF, u64::from(self.times)),
            (names::NOT_BEFORE, self.not_before),
        ] {
            attributes.insert(name.to_owned(), attribute("Number", &number.to_string())?);
        }
        for (name, value) in trace.map(TraceContext::fields).into_iter().flatten() {
            attributes.insert(name.to_owned(), attribute("String", &value)?);
        }
        Ok(attributes)
    }
}

impl BatchEntry for PutOff {
    fn size(&self) -> usize {
        /// Names, types and values of the two numbers.
        const NUMBERS: usize = names::PUT_OFF.len() + names::NOT_BEFORE.len() + 2 * (6 + 20);
        /// The trace, which it may have from here on.
        const TRACE: usize = names::TRACEPARENT.len() + 6 + TraceContext::PARENT_BYTES;
        self.body.len() + size_of(&self.attributes) + NUMBERS + TRACE
    }
}

impl BatchSender<PutOff> for Queue {
    const MAX_BYTES: usize = names::SQS_MAX_BYTES;

    async fn send_batch(&self, entries: &[&PutOff]) -> Result<Vec<EntryOutcome>, CallError> {
        let now = SystemTime::now();
        let traces = entries.iter().map(|entry| entry.trace.as_ref());
        let span = self.spans.send(entries.len(), traces);
        let request = entries.iter().enumerate();
        let request = request.map(|(place, entry)| {
            let delay = whole_seconds(entry.delay(now));
            let trace = span.context_of(entry.trace.as_ref());
            let attributes = entry.attributes(trace.as_ref())?;
            send_entry(place, &entry.body, attributes, Some(delay))
        });
        let request = request.collect::<Result<_, _>>()?;
        let sent = self.sqs.send(&self.url, request).await;
        outcomes_within(&span, entries.len(), sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    fn put_off(until: SystemTime) -> PutOff {
        let delivery = Delivery {
            id: String::new(),
            body: "body".into(),
            row: None,
            columns: None,
            receive_count: 3,
            put_off: 7,
            trace: None,
        };
        let receipt = Receipt {
            handle: String::new(),
            receive_count: 3,
            attributes: Attributes::new(),
        };
        PutOff::until(until, &delivery, &receipt)
    }

    #[test]
    fn a_delay_ends_at_the_time_or_after_the_longest_that_sqs_takes() {
        let until = put_off(at(2_000_500));
        assert_eq!((until.times, until.not_before), (8, 2_001));
        for (now, seconds) in [
            (at(1_000_000), 900),
            (at(1_100_999), 900),
            (at(1_101_001), 900),
            (at(1_102_000), 899),
            (at(2_000_500), 1),
            (at(2_001_000), 0),
            (at(3_000_000), 0),
        ] {
            assert_eq!(whole_seconds(until.delay(now)), seconds, "{now:?}");
        }
    }

    #[test]
    fn the_size_is_never_less_than_that_of_what_is_sent() {
        let until = put_off(at(u64::MAX / 2));
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceContext::read(|name| (name == names::TRACEPARENT).then_some(parent));
        let attributes = until.attributes(trace.as_ref()).unwrap();
        assert_eq!(attributes.len(), 3);
        assert!(until.size() >= until.body.len() + size_of(&attributes));
    }
}
