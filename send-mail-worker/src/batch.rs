//! The e-mails that a batch of messages asks for.

use std::collections::HashMap;

use common::messaging::Delivery;
use contract::{ReceivedNotification, RowId};
use tracing::error;

use crate::transport::Letter;

/// One debt of a batch: its e-mail, and the places of the messages
/// that carry it.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) letter: Letter,
    pub(crate) row: Option<RowId>,
    /// How often it was put off; of several messages the one that was most
    /// often.
    pub(crate) put_off: u32,
    pub(crate) messages: Vec<usize>,
}

impl Mail {
    pub(crate) fn debt_id(&self) -> &str {
        &self.letter.notification.debt_id
    }
}

/// The debts of a batch, each once. A message that cannot be read is in none
/// of them.
pub(crate) fn read(deliveries: &[Delivery]) -> Vec<Mail> {
    let mut mails: Vec<Mail> = Vec::with_capacity(deliveries.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(deliveries.len());
    for (index, delivery) in deliveries.iter().enumerate() {
        match ReceivedNotification::read(&delivery.body, delivery.row) {
            Ok(ReceivedNotification { notification, row }) => {
                let debt_id = notification.debt_id.clone();
                let place = *places.entry(debt_id).or_insert(mails.len());
                match mails.get_mut(place) {
                    Some(twin) => {
                        twin.put_off = twin.put_off.max(delivery.put_off);
                        twin.messages.push(index);
                    }
                    None => mails.push(Mail {
                        letter: Letter {
                            notification,
                            agreement: None,
                        },
                        row,
                        put_off: delivery.put_off,
                        messages: vec![index],
                    }),
                }
            }
            Err(error) => error!(message_id = delivery.id, %error, "Message cannot be read"),
        }
    }
    mails
}
