use super::aws::Sns;
use super::spans::{Spans, outcomes_within};
use super::{BatchSender, CallError, EntryOutcome, Outgoing};
use crate::runtime::ReadyProbe;
use crate::runtime::{Dependency, Outage, Tracer};
use contract::names::SNS_MAX_BYTES;

/// An SNS topic. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Topic {
    sns: Sns,
    arn: String,
    spans: Spans,
    outage: Outage,
}

impl Topic {
    pub(super) fn new(sns: Sns, arn: String, tracer: Tracer) -> Self {
        let name = arn.rsplit(':').next().unwrap_or_default();
        Self {
            spans: Spans::of_topic(name, tracer),
            sns,
            arn,
            outage: Outage::new("SNS"),
        }
    }

    /// Whether the topic answers.
    pub async fn probe(&self) -> Result<(), CallError> {
        self.sns.probe(&self.arn).await
    }

    /// Asks whether the topic answers, and takes what it is given.
    pub fn ready_probe(&self) -> ReadyProbe {
        ReadyProbe::unless_waited_for(
            self,
            |topic: Self| async move { topic.probe().await.is_ok() },
        )
    }
}

impl Dependency for Topic {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl BatchSender for Topic {
    const MAX_BYTES: usize = SNS_MAX_BYTES;

    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        let traces = entries.iter().map(|entry| entry.trace.as_ref());
        let span = self.spans.send(entries.len(), traces);
        let messages = entries
            .iter()
            .map(|entry| (*entry, span.context_of(entry.trace.as_ref())));
        let sent = self.sns.publish(&self.arn, messages).await;
        outcomes_within(&span, entries.len(), sent)
    }
}
