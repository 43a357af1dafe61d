//! The span of the e-mails of a batch that are sent.

use common::runtime::{KeyValue, Span, SpanBuilder, SpanKind, Tracer};

use crate::judge::Tried;

/// Begins the span of that many e-mails, sent over that transport. None are no
/// sending.
pub(crate) fn sending_span(tracer: &Tracer, transport: &'static str, mails: usize) -> Span {
    if mails == 0 {
        return Span::default();
    }
    tracer.inner_span(|| {
        let mails = i64::try_from(mails).unwrap_or(i64::MAX);
        SpanBuilder::from_name("send e-mails")
            .with_kind(SpanKind::Producer)
            .with_attributes([
                KeyValue::new("messaging.system", transport.to_lowercase()),
                KeyValue::new("messaging.operation.name", "send"),
                KeyValue::new("messaging.operation.type", "send"),
                KeyValue::new("messaging.batch.message_count", mails),
            ])
    })
}

/// Tells the span how many of its e-mails have not ended. Those that never will
/// be taken have: that is no fault.
pub(crate) fn tell_sent(span: &Span, tried: &[Tried]) {
    let (of, ended) = (tried.len(), |tried: &&Tried| {
        matches!(tried, Tried::Ended(_))
    });
    match of - tried.iter().filter(ended).count() {
        0 => {}
        open => span.fail("not_sent", format!("{open} of {of} e-mails")),
    }
}
