//! The e-mails that a batch of messages asks for.

use common::ledger::Channel;
use common::messaging::{Delivery, notified_debts};
use contract::RowId;

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

    /// Whether nobody can tell any more whose it is. Its e-mail has ended.
    pub(crate) fn is_erased(&self) -> bool {
        self.letter.notification.is_erased()
    }

    /// That of its revision.
    pub(crate) fn channel(&self) -> Channel {
        Channel::mail(self.letter.notification.revision)
    }
}

/// The e-mails of a batch, one for each debt, in the order of their revisions.
pub(crate) fn read(deliveries: &[Delivery]) -> Vec<Mail> {
    let mails = notified_debts(deliveries).into_iter().map(|debt| Mail {
        letter: Letter {
            notification: debt.notification,
            agreement: None,
        },
        row: debt.row,
        put_off: debt.put_off,
        messages: debt.messages,
    });
    let mut mails: Vec<Mail> = mails.collect();
    mails.sort_by_key(Mail::channel);
    mails
}
