//! When the sender is what a server refuses, though it says so recipient by
//! recipient.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::runtime::{Backoff, Outage};
use lettre::Address;
use tokio::time::Instant;

use super::connection::Stage;
use super::failure::{Numbers, Refusal};
use super::outcome::MailServerAway;

/// The same refusal for so many recipients in a row, with no yes between, is
/// about none of them.
const SEVERAL: usize = 3;
/// The same where the server took others lately between such refusals: it has
/// something against some recipients.
const MANY: usize = 50;
/// For how long that is known.
const LATELY: Duration = Duration::from_hours(1);
/// Most kinds of refusals of which it is known.
const MOST_KINDS: usize = 16;
/// E-mails that try a server that refuses all, at short waits: those that it
/// takes may stand behind others that it does not. Then the waits are long, as
/// providers count refused e-mails too.
const SOON: u32 = 100;
/// Without an e-mail that could try it for so long, nobody knows whether the
/// server still refuses all.
const IDLE: Duration = Duration::from_mins(1);

/// What was refused, and how.
type Refused = (Stage, Numbers);

/// The refusals in a row that may be about the sender. After several the
/// server counts as away, and one e-mail at a time tries it.
#[derive(Debug)]
pub(super) struct Refusals {
    outage: Outage,
    /// First wait between e-mails that try the server.
    first_wait: Duration,
    hashes: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    row: Option<Row>,
    held: Option<Held>,
    /// Refusals of some among others that were taken, and when that was.
    of_some: Vec<(Refused, Instant)>,
}

/// The same refusal in a row.
#[derive(Debug)]
struct Row {
    refusal: Refused,
    /// Hashes of those to whom it was said.
    recipients: Vec<u64>,
}

/// The server refuses everybody.
#[derive(Debug)]
struct Held {
    reason: String,
    backoff: Backoff,
    probes: u32,
    next_probe: Instant,
    /// The next e-mail is to try it.
    granted: bool,
}

impl Held {
    fn new(reason: String, first_wait: Duration) -> Self {
        let mut backoff = Backoff::new(first_wait, first_wait * 5);
        Self {
            reason,
            next_probe: Instant::now() + backoff.next_wait(),
            backoff,
            probes: 0,
            granted: false,
        }
    }

    fn grant(&mut self, first_wait: Duration) {
        self.probes += 1;
        if self.probes == SOON {
            self.backoff = Backoff::new(first_wait * 10, first_wait * 30);
        }
        self.granted = true;
        self.next_probe = Instant::now() + self.backoff.next_wait();
    }
}

impl State {
    /// How many refusals of that kind in a row are about the sender.
    fn several(&self, refusal: Refused) -> usize {
        let is_of_some =
            |(other, at): &(Refused, Instant)| *other == refusal && at.elapsed() < LATELY;
        if self.of_some.iter().any(is_of_some) {
            MANY
        } else {
            SEVERAL
        }
    }
}

impl Refusals {
    pub(super) fn new(outage: Outage, first_wait: Duration) -> Self {
        Self {
            outage,
            first_wait,
            hashes: RandomState::new(),
            state: Mutex::default(),
        }
    }

    /// Fails while the server refuses everybody.
    pub(super) fn none(&self) -> Result<(), MailServerAway> {
        match &self.known().held {
            Some(held) => Err(MailServerAway(held.reason.clone())),
            None => Ok(()),
        }
    }

    /// The same, but now and then the next e-mail may try the server.
    pub(super) fn ask(&self) -> Result<(), MailServerAway> {
        let mut state = self.known();
        let Some(held) = &mut state.held else {
            return Ok(());
        };
        if Instant::now() < held.next_probe {
            return Err(MailServerAway(held.reason.clone()));
        }
        held.grant(self.first_wait);
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
        if let Some(Row { refusal, .. }) = state.row.take() {
            state.of_some.retain(|(other, _)| *other != refusal);
            if state.of_some.len() == MOST_KINDS {
                state.of_some.remove(0);
            }
            state.of_some.push((refusal, Instant::now()));
        }
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
    /// says how if it is.
    pub(super) fn refused(
        &self,
        stage: Stage,
        reply: &Refusal,
        to: &Address,
    ) -> Result<(), MailServerAway> {
        let mut guard = self.state();
        let refusal = (stage, reply.numbers());
        let several = guard.several(refusal);
        let State { row, held, .. } = &mut *guard;
        let recipient = self.hashes.hash_one(AsRef::<str>::as_ref(to));
        let row = match row {
            Some(row) if row.refusal == refusal => row,
            other => other.insert(Row {
                refusal,
                recipients: Vec::new(),
            }),
        };
        if row.recipients.len() < several && !row.recipients.contains(&recipient) {
            row.recipients.push(recipient);
        }
        if held.is_none() && row.recipients.len() < several {
            return Ok(());
        }
        let words = reply.words().without(to);
        let reason = format!("it refuses one recipient after another: {reply} at {stage}, {words}");
        if let Some(held) = held {
            held.reason.clone_from(&reason);
        } else {
            *held = Some(Held::new(reason.clone(), self.first_wait));
            self.outage.hold(&reason);
        }
        Err(MailServerAway(reason))
    }

    /// What is known; that everybody is refused is not, where nobody could
    /// try for long.
    fn known(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let is_old = |held: &Held| held.next_probe.elapsed() > IDLE;
        if state.held.as_ref().is_some_and(is_old) {
            state.row = None;
            state.held = None;
            self.outage.release();
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
