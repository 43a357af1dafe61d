//! One queue: its name, its settings, its messages, and who waits for them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{self, Instant},
};

use super::{
    ACCOUNT_ID, REGION,
    message::{Message, unix_millis},
    queue_depth::QueueDepth,
    queue_error::{QueueError, QueueErrorCode},
    queue_settings::QueueSettings,
    stock::{Held, NotHidden, Receipt, Stock, Take},
};

/// Between two purges of a queue.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);

/// A queue, shared by all requests that name it.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) arn: Arc<str>,
    state: Mutex<State>,
    /// Wakes a receive when there is a message, and all when the next one comes earlier than before.
    arrivals: Notify,
}

#[derive(Debug)]
struct State {
    settings: QueueSettings,
    stock: Stock,
    purged_at: Option<Instant>,
    created_at: u64,
    modified_at: u64,
}

/// A receive, as the request has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receive {
    /// The most messages.
    pub(super) most: usize,
    /// How long it waits for one; by default as the queue says.
    pub(super) wait: Option<Duration>,
    /// How long it hides them; by default as the queue says.
    pub(super) hide_for: Option<Duration>,
}

/// A message, and what takes it out of the queue.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) held: Held,
    pub(super) handle: Handle,
}

/// What a request names a received message by.
#[derive(Debug)]
pub(super) struct Handle {
    queue_arn: Arc<str>,
    receipt: Receipt,
}

impl Queue {
    pub(super) fn new(name: &str, base_url: &str, settings: QueueSettings) -> Self {
        let now = unix_millis();
        Self {
            name: name.to_owned(),
            url: format!("{base_url}/{ACCOUNT_ID}/{name}"),
            arn: queue_arn(name).into(),
            state: Mutex::new(State {
                settings,
                stock: Stock::default(),
                purged_at: None,
                created_at: now,
                modified_at: now,
            }),
            arrivals: Notify::new(),
        }
    }

    pub(super) fn settings(&self) -> QueueSettings {
        self.state().settings.clone()
    }

    /// In bytes.
    pub(super) fn maximum_message_size(&self) -> usize {
        self.state().settings.maximum_message_size()
    }

    pub(super) fn set_settings(&self, settings: QueueSettings) {
        let mut state = self.state();
        state.settings = settings;
        state.modified_at = unix_millis();
    }

    /// When it was created and when its settings were last set, in Unix seconds.
    pub(super) fn timestamps(&self) -> (u64, u64) {
        let state = self.state();
        (state.created_at / 1000, state.modified_at / 1000)
    }

    pub(super) fn depth(&self) -> QueueDepth {
        self.state().stock.depth(Instant::now())
    }

    /// Adds messages, each after its own delay or after that of the queue.
    pub(super) fn send(
        &self,
        messages: impl IntoIterator<Item = (Arc<Message>, Option<Duration>)>,
    ) {
        let mut state = self.state();
        let (delay, now) = (state.settings.delay(), Instant::now());
        let next_wake = state.stock.next_wake();
        for (message, own_delay) in messages {
            let delay = own_delay.unwrap_or(delay);
            let held = Held::new(message);
            if delay.is_zero() {
                state.stock.put(held);
            } else {
                state.stock.put_delayed(held, now + delay);
            }
        }
        self.announce(state, next_wake);
    }

    /// Takes messages; waits for the first of them. Those that have used up their receives go to the
    /// dead letters instead, if there is such a queue.
    pub(super) async fn receive(
        &self,
        receive: Receive,
        dead_letters: Option<(Arc<Self>, u32)>,
    ) -> Vec<Received> {
        let wait = receive
            .wait
            .unwrap_or_else(|| self.state().settings.receive_wait());
        let deadline = Instant::now() + wait;
        loop {
            let arrival = self.arrivals.notified();
            let (received, next_wake) = self.take(receive, dead_letters.as_ref());
            if !received.is_empty() || Instant::now() >= deadline {
                return received;
            }
            let until = next_wake.map_or(deadline, |wake| wake.min(deadline));
            tokio::select! {
                () = arrival => {}
                () = time::sleep_until(until) => {}
            }
        }
    }

    fn take(
        &self,
        receive: Receive,
        dead_letters: Option<&(Arc<Self>, u32)>,
    ) -> (Vec<Received>, Option<Instant>) {
        let mut state = self.state();
        let next_wake = state.stock.next_wake();
        let take = Take {
            most: receive.most,
            hide_for: receive
                .hide_for
                .unwrap_or_else(|| state.settings.visibility()),
            most_receives: dead_letters.map(|(_, most)| *most),
        };
        let taken = state.stock.take(Instant::now(), take);
        let wake = state.stock.next_wake();
        self.announce(state, next_wake);
        if let Some((dead_letters, _)) = dead_letters
            && !taken.dead_letters.is_empty()
        {
            dead_letters.bury(taken.dead_letters, &self.arn);
        }
        let received = taken.received.into_iter().map(|(number, held)| Received {
            handle: Handle {
                queue_arn: Arc::clone(&self.arn),
                receipt: Receipt {
                    number,
                    receive_count: held.receive_count,
                },
            },
            held,
        });
        (received.collect(), wake)
    }

    /// Takes the dead letters of another queue.
    fn bury(&self, letters: Vec<Held>, source_arn: &Arc<str>) {
        let mut state = self.state();
        let next_wake = state.stock.next_wake();
        for mut letter in letters {
            letter.source_arn = Some(Arc::clone(source_arn));
            state.stock.put(letter);
        }
        self.announce(state, next_wake);
    }

    /// Deletes a received message. One that is gone already, or that another receive has got since, is
    /// no error.
    pub(super) fn delete(&self, handle: &str) -> Result<(), QueueError> {
        let receipt = self.receipt(handle)?;
        self.state().stock.delete(receipt);
        Ok(())
    }

    /// Hides a received message for so long from now on.
    pub(super) fn hide(&self, handle: &str, time: Duration) -> Result<(), QueueError> {
        let receipt = self.receipt(handle)?;
        let mut state = self.state();
        let (now, next_wake) = (Instant::now(), state.stock.next_wake());
        let hidden = state.stock.hide(now, receipt, now + time);
        self.announce(state, next_wake);
        hidden.map_err(|reason| not_hidden(handle, reason))
    }

    /// Deletes every message.
    pub(super) fn purge(&self) -> Result<(), QueueError> {
        let mut state = self.state();
        let now = Instant::now();
        if state
            .purged_at
            .is_some_and(|last| now < last + PURGE_INTERVAL)
        {
            return Err(QueueError::new(
                QueueErrorCode::PurgeQueueInProgress,
                format!(
                    "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                    self.name
                ),
            ));
        }
        state.purged_at = Some(now);
        state.stock.clear();
        Ok(())
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, QueueError> {
        read_handle(&self.arn, handle).ok_or_else(|| {
            QueueError::new(
                QueueErrorCode::ReceiptHandleIsInvalid,
                format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
            )
        })
    }

    /// Wakes one receive if there is a message for it, which wakes the next one if it leaves some;
    /// wakes all if they have to look earlier than they thought.
    fn announce(&self, state: MutexGuard<'_, State>, next_wake_before: Option<Instant>) {
        let stock = &state.stock;
        let (visible, next_wake) = (stock.has_visible(), stock.next_wake());
        drop(state);
        let earlier = next_wake.is_some_and(|wake| next_wake_before.is_none_or(|old| wake < old));
        if earlier {
            self.arrivals.notify_waiters();
        }
        if visible {
            self.arrivals.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ARN of a queue of this emulator.
pub(super) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}")
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receipt {
            number,
            receive_count,
        } = self.receipt;
        write!(f, "{}/{number}/{receive_count}", self.queue_arn)
    }
}

/// Nothing for what no receive from that queue gave.
fn read_handle(queue_arn: &str, handle: &str) -> Option<Receipt> {
    let (number, receive_count) = handle
        .strip_prefix(queue_arn)?
        .strip_prefix('/')?
        .split_once('/')?;
    Some(Receipt {
        number: number.parse().ok()?,
        receive_count: receive_count.parse().ok()?,
    })
}

fn not_hidden(handle: &str, reason: NotHidden) -> QueueError {
    match reason {
        NotHidden::Gone => QueueError::invalid(format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
             or is not available for visibility timeout change."
        )),
        NotHidden::Visible => QueueError::new(
            QueueErrorCode::MessageNotInflight,
            format!("The message referred to by {handle} is not in flight."),
        ),
    }
}
