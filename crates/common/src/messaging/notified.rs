//! What a subscriber of the topic does with a batch: one thing for each debt,
//! and a verdict for each message.

use std::collections::HashMap;

use contract::{Notification, ReceivedNotification, RowId};
use tracing::error;

use super::{Delivery, Verdict};

/// A debt of a batch, and the messages that tell of it.
#[derive(Clone, Debug)]
pub struct NotifiedDebt {
    /// What they tell.
    pub notification: Notification,
    /// The row that holds the debt's claim, where the publisher named one.
    pub row: Option<RowId>,
    /// How often it was put off; of several messages the one that was most
    /// often.
    pub put_off: u32,
    /// The places of its messages in the batch.
    pub messages: Vec<usize>,
}

impl NotifiedDebt {
    /// What identifies the debt.
    pub fn debt_id(&self) -> &str {
        &self.notification.debt_id
    }
}

/// The debts of a batch, each once and as it was told of last, whether their
/// messages came raw or in the SNS envelope. A message that cannot be read is
/// logged and in none of them.
pub fn notified_debts(deliveries: &[Delivery]) -> Vec<NotifiedDebt> {
    let mut debts: Vec<NotifiedDebt> = Vec::with_capacity(deliveries.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(deliveries.len());
    for (index, delivery) in deliveries.iter().enumerate() {
        match ReceivedNotification::read(&delivery.body, delivery.row) {
            Ok(ReceivedNotification { notification, row }) => {
                let debt_id = notification.debt_id.clone();
                let place = *places.entry(debt_id).or_insert(debts.len());
                match debts.get_mut(place) {
                    Some(twin) => {
                        twin.put_off = twin.put_off.max(delivery.put_off);
                        twin.messages.push(index);
                        // That of an earlier one is not to be sent.
                        if notification.revision > twin.notification.revision {
                            (twin.notification, twin.row) = (notification, row);
                        }
                    }
                    None => debts.push(NotifiedDebt {
                        notification,
                        row,
                        put_off: delivery.put_off,
                        messages: vec![index],
                    }),
                }
            }
            Err(error) => error!(message_id = delivery.id, %error, "Message cannot be read"),
        }
    }
    debts
}

/// A verdict for each of `count` messages: that of its debt, which comes with
/// the places of its messages. What cannot be read fails until it is a dead
/// letter.
pub fn verdicts_of_messages<'a>(
    count: usize,
    debts: impl IntoIterator<Item = (&'a [usize], Verdict)>,
) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Failed; count];
    for (messages, verdict) in debts {
        for index in messages {
            verdicts[*index] = verdict;
        }
    }
    verdicts
}
