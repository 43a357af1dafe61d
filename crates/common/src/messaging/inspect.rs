//! What can be asked of a queue without taking anything from it.

use std::collections::HashMap;
use std::time::SystemTime;

use serde::Deserialize;

use super::aws::{Receive, sent_at};
use super::{CallError, Queue};
use crate::runtime::ReadyProbe;
use contract::names::MAX_BATCH_ENTRIES;

/// How many messages a queue holds, by the approximate figures of SQS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Those that a receive can return now.
    pub visible: u64,
    /// Those in the hands of a receiver, or waiting for their next try.
    pub in_flight: u64,
    /// Those sent with a delay that has not passed.
    pub delayed: u64,
}

impl QueueDepth {
    /// Whether no message waits to be received or handled. Those that are to
    /// come later do not wait yet.
    pub fn is_idle(self) -> bool {
        self.visible == 0 && self.in_flight == 0
    }

    /// Whether there is no message in any state.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// The attribute `RedrivePolicy`; its `maxReceiveCount`, a number or a
/// string, is not needed here.
#[derive(Deserialize)]
struct RedrivePolicy {
    #[serde(rename = "deadLetterTargetArn")]
    target_arn: String,
}

impl Queue {
    /// Whether the queue answers.
    pub async fn probe(&self) -> Result<(), CallError> {
        self.attributes(&["QueueArn"]).await?;
        Ok(())
    }

    /// Asks whether the queue answers, and takes what it is given.
    pub fn ready_probe(&self) -> ReadyProbe {
        ReadyProbe::unless_waited_for(
            self,
            |queue: Self| async move { queue.probe().await.is_ok() },
        )
    }

    /// How many messages it holds.
    pub async fn depth(&self) -> Result<QueueDepth, CallError> {
        const VISIBLE: &str = "ApproximateNumberOfMessages";
        const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
        const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";
        let attributes = self.attributes(&[VISIBLE, IN_FLIGHT, DELAYED]).await?;
        let figure = |name: &str| {
            let figure = attributes.get(name).and_then(|figure| figure.parse().ok());
            figure.ok_or_else(|| CallError::new(format!("{} has no {name}", self.name())))
        };
        Ok(QueueDepth {
            visible: figure(VISIBLE)?,
            in_flight: figure(IN_FLIGHT)?,
            delayed: figure(DELAYED)?,
        })
    }

    /// The queue of its dead letters, by its redrive policy; `None` where it
    /// has none.
    pub async fn dead_letter_queue(&self) -> Result<Option<Self>, CallError> {
        const REDRIVE_POLICY: &str = "RedrivePolicy";
        let attributes = self.attributes(&[REDRIVE_POLICY]).await?;
        let Some(policy) = attributes.get(REDRIVE_POLICY) else {
            return Ok(None);
        };
        let name = dead_letter_name(policy).ok_or_else(|| {
            CallError::new(format!(
                "the redrive policy of {} names no queue: {policy}",
                self.name()
            ))
        })?;
        let url = self.sqs.queue_url(&name).await?;
        let tracer = self.spans.tracer().clone();
        Ok(Some(Self::new(self.sqs.clone(), url, tracer)))
    }

    /// When the oldest of up to ten messages was sent; `None` where none is
    /// visible. They stay visible, but one of their receives is used up: only
    /// for a queue that has no dead letters of its own.
    pub(super) async fn peek_oldest(&self) -> Result<Option<SystemTime>, CallError> {
        let receive = Receive {
            most: i32::try_from(MAX_BATCH_ENTRIES).unwrap_or(i32::MAX),
            wait: 0,
            visibility: 0,
            attributes: &[],
        };
        let received = self.sqs.receive(&self.url, &receive).await?;
        Ok(received.iter().filter_map(sent_at).min())
    }

    async fn attributes(&self, names: &[&str]) -> Result<HashMap<String, String>, CallError> {
        self.sqs.attributes(&self.url, names).await
    }
}

/// The last part of the ARN that a redrive policy names.
fn dead_letter_name(policy: &str) -> Option<String> {
    let policy: RedrivePolicy = serde_json::from_str(policy).ok()?;
    let (_, name) = policy.target_arn.rsplit_once(':')?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_letters_are_named_by_the_policy_in_either_form() {
        for count in ["5", "\"5\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:a-dlq","maxReceiveCount":{count}}}"#
            );
            assert_eq!(dead_letter_name(&policy), Some("a-dlq".into()));
        }
        for policy in [
            "",
            "{}",
            r#"{"deadLetterTargetArn":"x"}"#,
            r#"{"deadLetterTargetArn":"a:"}"#,
        ] {
            assert_eq!(dead_letter_name(policy), None);
        }
    }
}
