//! The spans of a queue and of a topic, by the conventions of OpenTelemetry:
//! one for each batch call, and one for each batch that is handled.
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use contract::{envelope_attribute, names};

use super::delivery::Received;
use super::entry::{FailedEntry, outcomes};
use super::{CallError, Delivery, EntryOutcome, Verdict};
use crate::runtime::{BatchSpan, KeyValue, SpanBuilder, SpanKind, TraceContext, Tracer};

/// Makes the spans of one queue or topic. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    tracer: Tracer,
    /// `messaging.system`
    system: &'static str,
    /// `messaging.destination.name`
    destination: Arc<str>,
}

/// What is done with messages.
#[derive(Clone, Copy)]
enum Operation {
    Send,
    Receive,
    Process,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
        }
    }

    fn kind(self) -> SpanKind {
        match self {
            Self::Send => SpanKind::Producer,
            Self::Receive => SpanKind::Client,
            Self::Process => SpanKind::Consumer,
        }
    }
}

impl Spans {
    /// Those of a queue.
    pub(super) fn of_queue(name: &str, tracer: Tracer) -> Self {
        Self {
            tracer,
            system: "aws_sqs",
            destination: name.into(),
        }
    }

    /// Those of a topic.
    pub(super) fn of_topic(name: &str, tracer: Tracer) -> Self {
        Self {
            tracer,
            system: "aws.sns",
            destination: name.into(),
        }
    }

    /// What makes them.
    pub(super) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// A call that sends messages, which belong to these traces.
    pub(super) fn send<'a>(
        &self,
        messages: usize,
        of: impl IntoIterator<Item = Option<&'a TraceContext>>,
    ) -> BatchSpan {
        let about = || self.about(Operation::Send, messages);
        self.tracer.batch_span(of, about)
    }

    /// A call that has brought messages: it began at `begun`, and the first of
    /// them was sent at `sent`. While there was none to bring, it belongs to no
    /// trace.
    pub(super) fn received(&self, begun: SystemTime, sent: Option<SystemTime>, what: &[Received]) {
        if what.is_empty() {
            return;
        }
        let about = || {
            let start = sent.map_or(begun, |sent| begun.max(sent));
            let about = self.about(Operation::Receive, what.len());
            about.with_start_time(start.min(SystemTime::now()))
        };
        let traces = what.iter().map(|(delivery, _)| delivery.trace.as_ref());
        let _ends = self.tracer.batch_span(traces, about);
    }

    /// The handling of a batch. What its messages carry on is that of the
    /// span from now on, unless they belong to several traces.
    pub(super) fn process(&self, batch: &mut [Delivery]) -> BatchSpan {
        self.look_into_envelopes(batch);
        let traces = batch.iter().map(|delivery| delivery.trace.as_ref());
        let about = || self.about(Operation::Process, batch.len());
        let span = self.tracer.batch_span(traces, about);
        for delivery in batch {
            delivery.trace = span.context_of(delivery.trace.as_ref());
        }
        span
    }

    /// Finds what the messages belong to whose delivery was not raw: the SNS
    /// envelope carries it inside.
    fn look_into_envelopes(&self, batch: &mut [Delivery]) {
        if !self.tracer.is_on() {
            return;
        }
        for delivery in batch {
            let body = &delivery.body;
            if delivery.trace.is_some() || !body.contains(names::TRACEPARENT) {
                continue;
            }
            let fields = [names::TRACEPARENT, names::TRACESTATE];
            let fields = fields.map(|name| (name, envelope_attribute(body, name)));
            delivery.trace = TraceContext::read(|name| {
                let (_, value) = fields.iter().find(|(field, _)| *field == name)?;
                value.as_deref()
            });
        }
    }

    fn about(&self, operation: Operation, messages: usize) -> SpanBuilder {
        let name = operation.name();
        let messages = i64::try_from(messages).unwrap_or(i64::MAX);
        SpanBuilder::from_name(format!("{name} {}", self.destination))
            .with_kind(operation.kind())
            .with_attributes([
                KeyValue::new("messaging.system", self.system),
                KeyValue::new("messaging.operation.name", name),
                KeyValue::new("messaging.operation.type", name),
                KeyValue::new("messaging.destination.name", Arc::clone(&self.destination)),
                KeyValue::new("messaging.batch.message_count", messages),
            ])
    }
}

/// What a call made of that many entries, of which it gives those that were
/// not taken; its span is told.
pub(super) fn outcomes_within(
    span: &BatchSpan,
    entries: usize,
    sent: Result<Vec<FailedEntry>, CallError>,
) -> Result<Vec<EntryOutcome>, CallError> {
    let outcomes = sent.and_then(|failed| outcomes(entries, failed));
    match &outcomes {
        Ok(outcomes) => {
            let of = outcomes.len();
            let taken = |outcome: &&EntryOutcome| **outcome != EntryOutcome::Accepted;
            match outcomes.iter().filter(taken).count() {
                0 => {}
                not_taken => span
                    .span()
                    .fail("not_taken", format!("{not_taken} of {of} messages")),
            }
        }
        Err(error) => {
            let code = error.code().map(|code| Cow::from(code.to_owned()));
            span.span()
                .fail(code.unwrap_or("_OTHER".into()), error.to_string());
        }
    }
    outcomes
}

/// Tells the span of a handling what became of it.
pub(super) fn tell_verdicts(span: &BatchSpan, verdicts: &[Verdict]) {
    let of = verdicts.len();
    let failed = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Failed);
    match failed.count() {
        0 => {}
        failed => span
            .span()
            .fail("failed", format!("{failed} of {of} messages")),
    }
}
