//! When the sender is what a server refuses, though it says so recipient by
//! recipient.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::outage::{Backoff, Outage};
use lettre::Address;
use tokio::time::Instant;

use super::connection::Stage;
use super::failure::{Numbers, Refusal};
use super::outcome::MailServerAway;

/// The same refusal for so many recipients in a row, with no yes between, is
/// about none of them.
const SEVERAL: usize = 3;
/// Waits between the e-mails with which a server is tried that refuses all:
/// providers count refused ones too.
const FIRST_PROBE: Duration = Duration::from_secs(1);
const LONGEST_PROBE: Duration = Duration::from_secs(30);

/// The refusals in a row that may be about the sender. After several the
/// server counts as away, and one e-mail at a time tries it.
#[derive(Debug)]
pub(super) struct Refusals {
    outage: Outage,
    hashes: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    row: Option<Row>,
    held: Option<Held>,
}

/// The same refusal in a row.
#[derive(Debug)]
struct Row {
    refusal: (Stage, Numbers),
    /// Hashes of those to whom it was said.
    recipients: Vec<u64>,
}

/// The server refuses everybody.
#[derive(Debug)]
struct Held {
    reason: String,
    backoff: Backoff,
    next_probe: Instant,
    /// The next e-mail is to try it.
    granted: bool,
}

impl Held {
    fn new(reason: String) -> Self {
        let mut backoff = Backoff::new(FIRST_PROBE, LONGEST_PROBE);
        Self {
            reason,
            next_probe: Instant::now() + backoff.next_wait(),
            backoff,
            granted: false,
        }
    }
}

impl Refusals {
    pub(super) fn new(outage: Outage) -> Self {
        Self {
            outage,
            hashes: RandomState::new(),
            state: Mutex::default(),
        }
    }

    /// Fails while the server refuses everybody.
    pub(super) fn none(&self) -> Result<(), MailServerAway> {
        match &self.state().held {
            Some(held) => Err(MailServerAway(held.reason.clone())),
            None => Ok(()),
        }
    }

    /// The same, but now and then the next e-mail may try the server.
    pub(super) fn ask(&self) -> Result<(), MailServerAway> {
        let mut state = self.state();
        let Some(held) = &mut state.held else {
            return Ok(());
        };
        if Instant::now() < held.next_probe {
            return Err(MailServerAway(held.reason.clone()));
        }
        held.granted = true;
        held.next_probe = Instant::now() + held.backoff.next_wait();
        Ok(())
    }

    /// Lets an e-mail pass, or the one that is to try the server.
    pub(super) fn admit(&self) -> Result<(), MailServerAway> {
        let mut state = self.state();
        let Some(held) = &mut state.held else {
            return Ok(());
        };
        if std::mem::take(&mut held.granted) {
            return Ok(());
        }
        Err(MailServerAway(held.reason.clone()))
    }

    /// The server took an e-mail: it has nothing against us.
    pub(super) fn taken(&self) {
        let mut state = self.state();
        state.row = None;
        if state.held.take().is_some() {
            self.outage.release();
        }
    }

    /// An e-mail has come to an end that says nothing of the sender: another
    /// one may tell at once.
    pub(super) fn open_question(&self) {
        if let Some(held) = &mut self.state().held {
            held.next_probe = Instant::now();
        }
    }

    /// The server refused an e-mail in a way that may be about the sender;
    /// fails if it is.
    pub(super) fn refused(
        &self,
        stage: Stage,
        reply: &Refusal,
        to: &Address,
    ) -> Result<(), MailServerAway> {
        let mut guard = self.state();
        let State { row, held } = &mut *guard;
        let refusal = (stage, reply.numbers());
        let recipient = self.hashes.hash_one(AsRef::<str>::as_ref(to));
        let row = match row {
            Some(row) if row.refusal == refusal => row,
            other => other.insert(Row {
                refusal,
                recipients: Vec::new(),
            }),
        };
        if row.recipients.len() < SEVERAL && !row.recipients.contains(&recipient) {
            row.recipients.push(recipient);
        }
        let is_several = row.recipients.len() >= SEVERAL;
        if held.is_none() && !is_several {
            return Ok(());
        }
        let words = reply.words().without(to);
        let reason = format!("it refuses one recipient after another: {reply} at {stage}, {words}");
        if let Some(held) = held {
            held.reason.clone_from(&reason);
        } else {
            *held = Some(Held::new(reason.clone()));
            self.outage.hold(&reason);
        }
        Err(MailServerAway(reason))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
