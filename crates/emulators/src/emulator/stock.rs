//! The messages of one queue: which of them a receive can return, and until when it cannot return
//! the others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    message::{Message, unix_millis},
    queue_depth::QueueDepth,
};

/// Messages by their number in the queue. Whatever takes time into account is given the time.
#[derive(Debug, Default)]
pub(super) struct Stock {
    messages: BTreeMap<u64, Held>,
    /// In the order of a receive. May name messages that were deleted.
    visible: VecDeque<u64>,
    /// All others, by the time at which they become visible.
    hidden: BTreeSet<(Instant, u64)>,
    /// How many of the hidden ones were never visible.
    delayed: usize,
    last: u64,
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) message: Arc<Message>,
    /// How often it was received. Dead letters keep theirs.
    pub(super) receive_count: u32,
    /// When it was received first, in Unix milliseconds.
    pub(super) first_received_at: Option<u64>,
    /// The ARN of the queue whose dead letter it is.
    pub(super) source_arn: Option<Arc<str>>,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Visible,
    Delayed { until: Instant },
    InFlight { until: Instant },
}

/// One receive of one message: what a receipt handle says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) number: u64,
    pub(super) receive_count: u32,
}

/// What a receive does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take {
    /// The most messages.
    pub(super) most: usize,
    /// For how long they are hidden.
    pub(super) hide_for: Duration,
    /// Receives after which a message is a dead letter.
    pub(super) most_receives: Option<u32>,
}

/// What a receive took out of the visible messages.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The messages by their numbers; they are in flight now.
    pub(super) received: Vec<(u64, Held)>,
    /// Those that are no longer in the queue.
    pub(super) dead_letters: Vec<Held>,
}

/// Why the visibility of a message cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotHidden {
    /// It was deleted, or received again since.
    Gone,
    /// It is visible.
    Visible,
}

impl Held {
    pub(super) fn new(message: Arc<Message>) -> Self {
        Self {
            message,
            receive_count: 0,
            first_received_at: None,
            source_arn: None,
            place: Place::Visible,
        }
    }

    fn hidden_until(&self) -> Option<Instant> {
        match self.place {
            Place::Visible => None,
            Place::Delayed { until } | Place::InFlight { until } => Some(until),
        }
    }
}

impl Stock {
    /// Adds a visible message.
    pub(super) fn put(&mut self, mut held: Held) {
        held.place = Place::Visible;
        let number = self.add(held);
        self.visible.push_back(number);
    }

    /// Adds a message that is hidden until then.
    pub(super) fn put_delayed(&mut self, mut held: Held, until: Instant) {
        held.place = Place::Delayed { until };
        let number = self.add(held);
        self.hidden.insert((until, number));
        self.delayed += 1;
    }

    fn add(&mut self, held: Held) -> u64 {
        self.last += 1;
        self.messages.insert(self.last, held);
        self.last
    }

    /// Takes visible messages in their order.
    pub(super) fn take(&mut self, now: Instant, take: Take) -> Taken {
        self.wake(now);
        let mut taken = Taken::default();
        while taken.received.len() < take.most
            && let Some(number) = self.visible.pop_front()
        {
            let Some(held) = self.messages.get_mut(&number) else {
                continue;
            };
            if take
                .most_receives
                .is_some_and(|most| held.receive_count >= most)
            {
                taken.dead_letters.extend(self.messages.remove(&number));
                continue;
            }
            held.receive_count += 1;
            held.first_received_at.get_or_insert_with(unix_millis);
            let until = now + take.hide_for;
            held.place = Place::InFlight { until };
            self.hidden.insert((until, number));
            taken.received.push((number, held.clone()));
        }
        taken
    }

    /// Deletes a message, unless it was received again since.
    pub(super) fn delete(&mut self, receipt: Receipt) {
        let Some(held) = self.held(receipt) else {
            return;
        };
        if let Some(until) = held.hidden_until() {
            self.hidden.remove(&(until, receipt.number));
        }
        self.messages.remove(&receipt.number);
    }

    /// Hides a message that is in flight until then instead.
    pub(super) fn hide(
        &mut self,
        now: Instant,
        receipt: Receipt,
        until: Instant,
    ) -> Result<(), NotHidden> {
        self.wake(now);
        let held = self.held(receipt).ok_or(NotHidden::Gone)?;
        let Place::InFlight { until: before } = held.place else {
            return Err(NotHidden::Visible);
        };
        held.place = Place::InFlight { until };
        self.hidden.remove(&(before, receipt.number));
        self.hidden.insert((until, receipt.number));
        self.wake(now);
        Ok(())
    }

    /// Makes visible what is hidden until now.
    fn wake(&mut self, now: Instant) {
        while let Some(&(until, number)) = self.hidden.first()
            && until <= now
        {
            self.hidden.pop_first();
            if let Some(held) = self.messages.get_mut(&number) {
                self.delayed -= usize::from(matches!(held.place, Place::Delayed { .. }));
                held.place = Place::Visible;
                self.visible.push_back(number);
            }
        }
    }

    /// When the next message becomes visible by itself.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.hidden.first().map(|&(until, _)| until)
    }

    /// Whether a receive would find a message.
    pub(super) fn has_visible(&self) -> bool {
        self.messages.len() > self.hidden.len()
    }

    pub(super) fn depth(&mut self, now: Instant) -> QueueDepth {
        self.wake(now);
        let count = |messages: usize| u64::try_from(messages).unwrap_or(u64::MAX);
        QueueDepth {
            visible: count(self.messages.len() - self.hidden.len()),
            in_flight: count(self.hidden.len() - self.delayed),
            delayed: count(self.delayed),
        }
    }

    /// Deletes all messages.
    pub(super) fn clear(&mut self) {
        // The numbers go on: a receipt handle of before must not fit a message of after.
        *self = Self {
            last: self.last,
            ..Self::default()
        };
    }

    fn held(&mut self, receipt: Receipt) -> Option<&mut Held> {
        let held = self.messages.get_mut(&receipt.number)?;
        (held.receive_count == receipt.receive_count).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: Take = Take {
        most: 1,
        hide_for: SECOND,
        most_receives: None,
    };

    fn stock(bodies: &[&str]) -> Stock {
        let mut stock = Stock::default();
        for body in bodies {
            stock.put(held(body));
        }
        stock
    }

    fn held(body: &str) -> Held {
        Held::new(Arc::new(Message::new(
            body.to_owned(),
            crate::emulator::message::Attributes::new(),
        )))
    }

    /// Takes one message, and gives its body and its receipt.
    fn take(stock: &mut Stock, now: Instant) -> Option<(String, Receipt)> {
        let (number, held) = stock.take(now, ONE).received.pop()?;
        let receive_count = held.receive_count;
        let receipt = Receipt {
            number,
            receive_count,
        };
        Some((held.message.body.clone(), receipt))
    }

    fn depth(stock: &mut Stock, now: Instant) -> (u64, u64, u64) {
        let depth = stock.depth(now);
        (depth.visible, depth.in_flight, depth.delayed)
    }

    #[test]
    fn a_message_comes_again_when_its_time_is_over_and_not_before() {
        let (mut stock, now) = (stock(&["a"]), Instant::now());
        assert!(take(&mut stock, now).is_some());
        assert_eq!(depth(&mut stock, now), (0, 1, 0));
        assert_eq!(stock.next_wake(), Some(now + SECOND));
        assert!(take(&mut stock, now + SECOND / 2).is_none());
        let (_, receipt) = take(&mut stock, now + SECOND).unwrap();
        assert_eq!(receipt.receive_count, 2);
    }

    #[test]
    fn only_the_last_receipt_deletes_and_it_does_so_when_the_message_is_visible_again() {
        let (mut stock, now) = (stock(&["a"]), Instant::now());
        let (_, first) = take(&mut stock, now).unwrap();
        let (_, last) = take(&mut stock, now + SECOND).unwrap();
        stock.delete(first);
        assert_eq!(depth(&mut stock, now + SECOND), (0, 1, 0));
        assert_eq!(depth(&mut stock, now + 2 * SECOND), (1, 0, 0));
        stock.delete(last);
        assert_eq!(depth(&mut stock, now + 2 * SECOND), (0, 0, 0));
        assert!(take(&mut stock, now + 2 * SECOND).is_none());
    }

    #[test]
    fn what_is_in_flight_can_be_hidden_for_longer_and_given_back_at_once() {
        let (mut stock, now) = (stock(&["a"]), Instant::now());
        let (_, receipt) = take(&mut stock, now).unwrap();
        stock.hide(now, receipt, now + 5 * SECOND).unwrap();
        assert_eq!(depth(&mut stock, now + SECOND), (0, 1, 0));
        stock.hide(now, receipt, now).unwrap();
        assert_eq!(depth(&mut stock, now), (1, 0, 0));
        let visible = stock.hide(now, receipt, now + SECOND);
        assert_eq!(visible, Err(NotHidden::Visible));
        stock.delete(receipt);
        let gone = stock.hide(now, receipt, now + SECOND);
        assert_eq!(gone, Err(NotHidden::Gone));
    }

    #[test]
    fn a_delayed_message_comes_after_its_delay() {
        let (mut stock, now) = (stock(&[]), Instant::now());
        stock.put_delayed(held("late"), now + SECOND);
        assert_eq!(depth(&mut stock, now), (0, 0, 1));
        assert!(take(&mut stock, now).is_none());
        assert_eq!(take(&mut stock, now + SECOND).unwrap().0, "late");
        assert_eq!(depth(&mut stock, now + SECOND), (0, 1, 0));
    }

    #[test]
    fn a_message_without_receives_left_is_a_dead_letter_and_the_next_is_received() {
        let (mut stock, now) = (stock(&["poison", "good"]), Instant::now());
        take(&mut stock, now).unwrap();
        let (later, once) = (now + SECOND, Some(1));
        let take = Take {
            most: 10,
            most_receives: once,
            ..ONE
        };
        let taken = stock.take(later, take);
        assert_eq!(taken.received[0].1.message.body, "good");
        assert_eq!(taken.dead_letters[0].message.body, "poison");
        assert_eq!(taken.dead_letters[0].receive_count, 1);
        assert_eq!(depth(&mut stock, later), (0, 1, 0));
    }

    #[test]
    fn a_receipt_of_before_a_purge_fits_nothing_after_it() {
        let (mut stock, now) = (stock(&["a"]), Instant::now());
        let (_, receipt) = take(&mut stock, now).unwrap();
        stock.clear();
        stock.put(held("b"));
        take(&mut stock, now).unwrap();
        stock.delete(receipt);
        assert_eq!(depth(&mut stock, now), (0, 1, 0));
    }
}
