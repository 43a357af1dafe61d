use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use contract::names::{TRACEPARENT, TRACESTATE};

/// What belongs to a trace carries this: the trace, and the span below which
/// it goes on. In headers, message attributes and manifests it has the form of
/// <https://www.w3.org/TR/trace-context/>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// Bytes of its `traceparent`.
    pub const PARENT_BYTES: usize = 55;

    /// Reads it from the fields that `value` gives by their names; `None` where
    /// they hold none.
    pub fn read<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let fields = Fields {
            parent: value(TRACEPARENT)?,
            state: value(TRACESTATE),
        };
        let read = TraceContextPropagator::new().extract_with_context(&Context::new(), &fields);
        Self::of(&read)
    }

    /// That of the span of a context.
    pub(super) fn of(context: &Context) -> Option<Self> {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| Self(span.clone()))
    }

    /// Names and values of its fields, as [`Self::read`] takes them.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let Self(span) = self;
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags());
        let parent = format!("00-{trace}-{id}-{flags:02x}");
        let state = span.trace_state();
        let state = (*state != TraceState::NONE).then(|| (TRACESTATE, state.header()));
        [(TRACEPARENT, parent)].into_iter().chain(state)
    }

    /// The context whose span it is, as far as one is needed for what follows.
    pub(super) fn to_context(&self) -> Context {
        Context::new().with_remote_span_context(self.0.clone())
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.0.trace_id()
    }

    /// Whether the spans of its trace are kept.
    pub(super) fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(super) fn span_context(&self) -> &SpanContext {
        &self.0
    }
}

/// The fields, as the propagator takes them.
struct Fields<'a> {
    parent: &'a str,
    state: Option<&'a str>,
}

impl Extractor for Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            TRACEPARENT => Some(self.parent),
            TRACESTATE => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(fields: &[(&str, &'static str)]) -> Option<TraceContext> {
        let fields: HashMap<_, _> = fields.iter().copied().collect();
        TraceContext::read(|name| fields.get(name).copied())
    }

    #[test]
    fn what_is_read_is_written_the_same() {
        for fields in [
            &[(TRACEPARENT, PARENT)][..],
            &[(TRACEPARENT, PARENT), (TRACESTATE, "vendor=1,other=2")],
        ] {
            let context = read(fields).unwrap();
            let written: Vec<_> = context.fields().collect();
            let expected = fields
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()));
            assert_eq!(written, expected.collect::<Vec<_>>());
        }
        assert_eq!(PARENT.len(), TraceContext::PARENT_BYTES);
    }

    #[test]
    fn what_is_no_context_is_none_and_a_bad_state_costs_no_more_than_itself() {
        for bad in [
            "",
            "00",
            "00-0-0-00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(&[(TRACEPARENT, bad)]), None, "{bad}");
        }
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        assert_eq!(read(&[(TRACEPARENT, zero)]), None);
        assert_eq!(read(&[(TRACESTATE, "vendor=1")]), None);
        let plain = read(&[(TRACEPARENT, PARENT)]);
        assert_eq!(read(&[(TRACEPARENT, PARENT), (TRACESTATE, "?")]), plain);
    }
}
