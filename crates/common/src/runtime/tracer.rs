//! The spans of a service. Where traces are off there are none, and whoever
//! makes them need not know.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::pin;

use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceId, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::TraceContext;

/// Makes the spans of a service; the default makes none. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<SdkTracer>);

impl Tracer {
    /// One whose spans go where that tracer's go.
    pub(crate) fn new(tracer: SdkTracer) -> Self {
        Self(Some(tracer))
    }

    /// Whether it makes spans.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A span that goes on with that trace, or begins one. It starts now, and
    /// `about` is asked what it is only where there is one.
    pub fn span(&self, parent: Option<&TraceContext>, about: impl FnOnce() -> SpanBuilder) -> Span {
        self.start(about, || {
            parent.map_or_else(Context::new, TraceContext::to_context)
        })
    }

    /// A span below the one around which this is called.
    pub fn inner_span(&self, about: impl FnOnce() -> SpanBuilder) -> Span {
        self.start(about, Context::current)
    }

    /// A span of what is done with several things at once, which belong to
    /// these traces. Where that is one trace, the span goes on with it; else
    /// it begins one, with a link to each of the others.
    pub fn batch_span<'a>(
        &self,
        of: impl IntoIterator<Item = Option<&'a TraceContext>>,
        about: impl FnOnce() -> SpanBuilder,
    ) -> BatchSpan {
        if !self.is_on() {
            return BatchSpan::default();
        }
        let Origin {
            parent,
            links,
            is_mixed,
        } = Origin::of(of);
        let link = |context: &TraceContext| Link::with_context(context.span_context().clone());
        let links: Vec<Link> = links.into_iter().map(link).collect();
        BatchSpan {
            span: self.span(parent, || about().with_links(links)),
            is_mixed,
        }
    }

    fn start(&self, about: impl FnOnce() -> SpanBuilder, parent: impl FnOnce() -> Context) -> Span {
        Span(self.0.as_ref().map(|tracer| {
            let parent = parent();
            let span = tracer.build_with_context(about(), &parent);
            parent.with_span(span)
        }))
    }
}

/// Where the things of a batch come from.
struct Origin<'a> {
    parent: Option<&'a TraceContext>,
    links: Vec<&'a TraceContext>,
    /// Not all of them belong to one trace.
    is_mixed: bool,
}

impl<'a> Origin<'a> {
    fn of(contexts: impl IntoIterator<Item = Option<&'a TraceContext>>) -> Self {
        let mut distinct: Vec<&TraceContext> = Vec::new();
        let mut is_mixed = false;
        for context in contexts {
            match context {
                Some(context) if !distinct.contains(&context) => distinct.push(context),
                Some(_) => {}
                None => is_mixed = true,
            }
        }
        let Some((first, rest)) = distinct.split_first() else {
            return Self {
                parent: None,
                links: Vec::new(),
                is_mixed: false,
            };
        };
        is_mixed |= rest
            .iter()
            .any(|context| context.trace_id() != first.trace_id());
        // Below what nobody keeps: a trace of its own would be kept.
        let none_is_kept = !distinct.iter().any(|context| context.is_sampled());
        if is_mixed && !none_is_kept {
            distinct.retain(|context| context.is_sampled());
            return Self {
                parent: None,
                links: distinct,
                is_mixed,
            };
        }
        Self {
            parent: Some(first),
            links: rest.to_vec(),
            is_mixed,
        }
    }
}

/// A span, which ends when this is dropped; nothing where traces are off.
#[derive(Debug, Default)]
#[must_use = "it ends when it is dropped"]
pub struct Span(Option<Context>);

impl Span {
    /// What goes on below it carries this.
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().and_then(TraceContext::of)
    }

    /// Adds what is known only by now.
    pub fn set(&self, attribute: impl FnOnce() -> KeyValue) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(attribute());
        }
    }

    /// What it is about failed: the kind of error, of which there are few, and
    /// its text, which holds nothing that a log must not hold.
    pub fn fail(&self, kind: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new("error.type", kind.into()));
            span.set_status(Status::error(text));
        }
    }

    /// Does something within it: the lines that it logs name the span.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        within(self.0.clone(), work)
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// A span of what is done with several things at once.
#[derive(Debug, Default)]
#[must_use = "it ends when it is dropped"]
pub struct BatchSpan {
    span: Span,
    is_mixed: bool,
}

impl BatchSpan {
    /// The span.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// What one of the things carries on from here, which has come with that:
    /// this span, or, where they belong to several traces, its own.
    pub fn context_of(&self, own: Option<&TraceContext>) -> Option<TraceContext> {
        match own {
            Some(own) if self.is_mixed || self.span.0.is_none() => Some(own.clone()),
            _ => self.span.context(),
        }
    }
}

/// Something that a task of its own does within the span around which this is
/// called.
pub fn in_current_span<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    let current =
        Context::map_current(|current| current.has_active_span().then(|| current.clone()));
    within(current, work)
}

/// Trace and span around which this is called, for what is logged.
pub fn current_ids() -> Option<(TraceId, SpanId)> {
    let ids = |span: &SpanContext| (span.trace_id(), span.span_id());
    Context::map_current(|current| {
        let span = current.span();
        let span = span.span_context();
        span.is_valid().then(|| ids(span))
    })
}

async fn within<F: Future>(context: Option<Context>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|task| {
        let _current = context.clone().map(Context::attach);
        work.as_mut().poll(task)
    })
    .await
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::*;

    fn on() -> Tracer {
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
        Tracer::new(provider.build().tracer("test"))
    }

    fn about() -> SpanBuilder {
        SpanBuilder::from_name("a span")
    }

    fn context(trace: u8, span: u8, is_sampled: bool) -> TraceContext {
        let parent = format!("00-{trace:032x}-{span:016x}-0{}", u8::from(is_sampled));
        TraceContext::read(|name| (name == "traceparent").then_some(&*parent)).unwrap()
    }

    #[test]
    fn a_batch_of_one_trace_goes_on_with_it_and_so_does_all_that_it_sends() {
        let (first, second) = (context(1, 1, true), context(1, 2, true));
        let contexts = [Some(&first), Some(&second), Some(&first)];
        let origin = Origin::of(contexts);
        assert_eq!((origin.parent, origin.is_mixed), (Some(&first), false));
        assert_eq!(origin.links, [&second]);
        let span = on().batch_span(contexts, about);
        let sent = span.context_of(Some(&second)).unwrap();
        assert_eq!(sent.trace_id(), first.trace_id());
        assert!(sent != first && sent != second);
    }

    #[test]
    fn a_batch_of_several_traces_begins_one_and_what_it_sends_stays_in_its_own() {
        let (first, second) = (context(1, 1, true), context(2, 2, true));
        let unkept = context(3, 3, false);
        for contexts in [
            [Some(&first), Some(&second), Some(&unkept)],
            [Some(&first), Some(&second), None],
        ] {
            let origin = Origin::of(contexts);
            assert_eq!((origin.parent, origin.is_mixed), (None, true));
            assert_eq!(origin.links, [&first, &second]);
            let span = on().batch_span(contexts, about);
            for own in [&first, &second, &unkept] {
                assert_eq!(span.context_of(Some(own)), Some(own.clone()));
            }
            let begun = span.context_of(None).unwrap();
            assert!(begun.is_sampled() && begun.trace_id() != first.trace_id());
        }
    }

    #[test]
    fn a_batch_of_traces_that_nobody_keeps_is_not_kept() {
        let contexts = [context(1, 1, false), context(2, 2, false)];
        let span = on().batch_span(contexts.iter().map(Some), about);
        assert!(!span.span().context().unwrap().is_sampled());
    }

    #[test]
    fn where_traces_are_off_what_came_goes_on_as_it_came() {
        let own = context(1, 1, true);
        let never = || -> SpanBuilder { panic!("nobody asks") };
        let span = Tracer::default().batch_span([Some(&own), None], never);
        assert_eq!(span.context_of(Some(&own)), Some(own));
        assert_eq!(span.context_of(None), None);
    }

    #[tokio::test]
    async fn what_is_done_within_a_span_knows_it_and_what_follows_does_not() {
        let span = on().span(None, about);
        let (trace, id) = span.around(async { current_ids() }).await.unwrap();
        assert_eq!(span.context().unwrap().trace_id(), trace);
        let inner = span.around(async {
            let task = tokio::spawn(in_current_span(async { current_ids() }));
            let alone = tokio::spawn(async { current_ids() });
            (task.await.unwrap(), alone.await.unwrap())
        });
        assert_eq!(inner.await, (Some((trace, id)), None));
        assert_eq!(current_ids(), None);
    }
}
