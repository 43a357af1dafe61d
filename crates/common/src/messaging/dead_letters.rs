use std::time::{Duration, SystemTime};

use super::aws::{Message, Receive, send_entry, sent_at, size_of};
use super::delivery::{Receipt, take_apart};
use super::entry::outcomes;
use super::queue::whole_seconds;
use super::{CallError, Delivery, EntryOutcome, Queue, QueueDepth, split};
use contract::names::{MAX_BATCH_ENTRIES, SQS_MAX_BYTES, VISIBILITY_TIMEOUT};

/// Longest wait of a receive. A long poll asks all servers of a queue, so
/// that none of its messages being there is an answer.
const WAIT: Duration = Duration::from_secs(1);
/// Most messages that a look receives.
const MOST_LOOKED_AT: usize = 100;
/// Tries to delete what was sent.
const DELETE_TRIES: u32 = 3;

/// The dead letters of a work queue, and their way back to it.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    letters: Queue,
    home: Queue,
}

/// What a look at dead letters found. They are where they were.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Messages in the dead-letter queue.
    pub depth: QueueDepth,
    /// How many of them were looked at.
    pub looked_at: usize,
    /// When the oldest of those was sent.
    pub oldest: Option<SystemTime>,
    /// The first few.
    pub sample: Vec<Delivery>,
}

/// What a redrive has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Messages sent to the work queue and deleted from the dead letters.
    pub moved: u64,
    /// Messages sent to the work queue that are dead letters still: moved
    /// again, they are duplicates, which the services find done.
    pub copied: u64,
    /// Messages that the work queue did not take; they are dead letters still.
    pub failed: u64,
    /// Why the last of those was not moved, or why no more were received.
    pub reason: Option<String>,
}

impl Redriven {
    /// Whether every message that it received was moved.
    pub fn is_complete(&self) -> bool {
        self.reason.is_none()
    }

    fn handled(&self) -> u64 {
        self.moved + self.copied + self.failed
    }
}

impl DeadLetters {
    /// The dead letters of that work queue, by its redrive policy; `None`
    /// where it has none.
    pub async fn of(home: Queue) -> Result<Option<Self>, CallError> {
        let letters = home.dead_letter_queue().await?;
        Ok(letters.map(|letters| Self { letters, home }))
    }

    /// The dead-letter queue.
    pub fn letters(&self) -> &Queue {
        &self.letters
    }

    /// The work queue.
    pub fn home(&self) -> &Queue {
        &self.home
    }

    /// Looks at up to 100 messages, keeps `sample` of them, and gives all of
    /// them back.
    pub async fn look(&self, sample: usize) -> Result<Looked, CallError> {
        let mut looked = Looked {
            depth: self.letters.depth().await?,
            looked_at: 0,
            oldest: None,
            sample: Vec::new(),
        };
        let mut receipts = Vec::new();
        let received = self.look_at(&mut looked, sample, &mut receipts).await;
        let given_back = self.give_back(&receipts).await;
        received.and(given_back)?;
        Ok(looked)
    }

    async fn look_at(
        &self,
        looked: &mut Looked,
        sample: usize,
        receipts: &mut Vec<Receipt>,
    ) -> Result<(), CallError> {
        while looked.looked_at < MOST_LOOKED_AT {
            let messages = self.receive(MAX_BATCH_ENTRIES).await?;
            if messages.is_empty() {
                break;
            }
            looked.looked_at += messages.len();
            for message in messages {
                let sent = sent_at(&message);
                looked.oldest = [looked.oldest, sent].into_iter().flatten().min();
                let (delivery, receipt) = take_apart(message);
                if looked.sample.len() < sample {
                    looked.sample.push(delivery);
                }
                receipts.push(receipt);
            }
        }
        Ok(())
    }

    /// Moves up to `most` messages to the work queue, with all their
    /// attributes and as they are. Each is sent before it is deleted, so that
    /// a crash in between leaves it in both queues and loses nothing.
    /// `progress` is told after each batch.
    ///
    /// It ends when no message is visible, after `most` of them, or at a
    /// batch of which none could be moved.
    pub async fn redrive(&self, most: u64, mut progress: impl FnMut(&Redriven)) -> Redriven {
        let mut done = Redriven::default();
        let mut left = Vec::new();
        while done.handled() < most {
            let wanted = usize::try_from(most - done.handled()).unwrap_or(usize::MAX);
            let messages = match self.receive(wanted.min(MAX_BATCH_ENTRIES)).await {
                Ok(messages) => messages,
                Err(error) => {
                    done.reason = Some(error.to_string());
                    break;
                }
            };
            let moved_before = done.moved;
            self.move_batch(messages, &mut done, &mut left).await;
            if done.moved == moved_before {
                break;
            }
            progress(&done);
        }
        // Kept hidden until now, so that none came a second time. Where this
        // fails they come back by their visibility timeout.
        let _ = self.give_back(&left).await;
        done
    }

    /// Sends, then deletes what was taken. Receipts of what stays a dead
    /// letter go to `left`.
    async fn move_batch(
        &self,
        messages: Vec<Message>,
        done: &mut Redriven,
        left: &mut Vec<Receipt>,
    ) {
        let mut outcomes = Vec::with_capacity(messages.len());
        for run in split(&messages, MAX_BATCH_ENTRIES, SQS_MAX_BYTES, size) {
            outcomes.extend(self.send_run(run).await);
        }
        let mut sent = Vec::with_capacity(messages.len());
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            let (_, receipt) = take_apart(message);
            match outcome {
                EntryOutcome::Accepted => sent.push(receipt),
                EntryOutcome::Refused(reason) | EntryOutcome::Failed(reason) => {
                    done.failed += 1;
                    done.reason = Some(reason);
                    left.push(receipt);
                }
            }
        }
        self.delete(sent, done, left).await;
    }

    /// One call; where its content is refused, a call for each message, so
    /// that only the culprit fails.
    async fn send_run(&self, run: &[Message]) -> Vec<EntryOutcome> {
        let failed = |error: CallError| EntryOutcome::Failed(error.to_string());
        match self.send(run).await {
            Ok(outcomes) => outcomes,
            Err(error) if error.blames_content() && run.len() > 1 => {
                let mut outcomes = Vec::with_capacity(run.len());
                for single in run.chunks(1) {
                    let sent = self.send(single).await;
                    outcomes.extend(sent.unwrap_or_else(|error| vec![failed(error)]));
                }
                outcomes
            }
            Err(error) => vec![failed(error); run.len()],
        }
    }

    async fn send(&self, run: &[Message]) -> Result<Vec<EntryOutcome>, CallError> {
        let entries = run.iter().enumerate().map(|(place, message)| {
            let attributes = message.message_attributes().cloned();
            let body = message.body().unwrap_or_default();
            send_entry(place, body, attributes.unwrap_or_default(), None)
        });
        let entries = entries.collect::<Result<_, _>>()?;
        let failed = self.home.sqs.send(&self.home.url, entries).await?;
        outcomes(run.len(), failed)
    }

    /// Deletes what was sent, with a few tries.
    async fn delete(&self, mut sent: Vec<Receipt>, done: &mut Redriven, left: &mut Vec<Receipt>) {
        let mut reason = None;
        for _ in 0..DELETE_TRIES {
            if sent.is_empty() {
                return;
            }
            let receipts: Vec<&Receipt> = sent.iter().collect();
            match self.letters.delete(&receipts).await {
                Ok(outcomes) => {
                    let mut kept = Vec::new();
                    for (receipt, outcome) in sent.into_iter().zip(outcomes) {
                        match outcome {
                            EntryOutcome::Accepted => done.moved += 1,
                            EntryOutcome::Refused(why) | EntryOutcome::Failed(why) => {
                                reason = Some(why);
                                kept.push(receipt);
                            }
                        }
                    }
                    sent = kept;
                }
                Err(error) => reason = Some(error.to_string()),
            }
        }
        if !sent.is_empty() {
            done.copied += sent.len() as u64;
            done.reason = reason;
            left.append(&mut sent);
        }
    }

    async fn receive(&self, most: usize) -> Result<Vec<Message>, CallError> {
        let receive = Receive {
            most: i32::try_from(most).unwrap_or(i32::MAX),
            wait: whole_seconds(WAIT),
            visibility: whole_seconds(VISIBILITY_TIMEOUT),
            attributes: &["All"],
        };
        self.letters.sqs.receive(&self.letters.url, &receive).await
    }

    async fn give_back(&self, receipts: &[Receipt]) -> Result<(), CallError> {
        for batch in receipts.chunks(MAX_BATCH_ENTRIES) {
            let now: Vec<_> = batch.iter().map(|r| (r, Duration::ZERO)).collect();
            self.letters.change_visibility(&now).await?;
        }
        Ok(())
    }
}

/// Bytes that SQS counts.
fn size(message: &Message) -> usize {
    let body = message.body().map_or(0, str::len);
    body + message.message_attributes().map_or(0, size_of)
}
