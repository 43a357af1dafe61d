use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::runtime::{Dependency, Outage};
use contract::{Notification, Reason};
use send_mail_worker::transport::{Letter, Sending, Transport, TransportAway};

/// Keeps the e-mails in memory, and answers what it is told to.
/// Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct MemoryTransport {
    state: Arc<Mutex<State>>,
    outage: Outage,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Notification>,
    asked: HashMap<String, u32>,
    deferrals: HashMap<String, u32>,
    refusals: HashMap<String, Reason>,
    refused: HashMap<String, u32>,
    away: bool,
    away_for_sends: u32,
    looked_for: u32,
}

impl Default for MemoryTransport {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            outage: Outage::new("mail transport"),
        }
    }
}

impl MemoryTransport {
    /// What was sent so far.
    pub(crate) fn mails(&self) -> Vec<Notification> {
        self.lock().mails.clone()
    }

    /// How often it was asked to send the e-mail of that debt while it was
    /// there.
    pub(crate) fn asked(&self, debt_id: &str) -> u32 {
        self.lock().asked.get(debt_id).copied().unwrap_or(0)
    }

    /// How often it said of the e-mail of that debt that it never takes it.
    pub(crate) fn refused(&self, debt_id: &str) -> u32 {
        self.lock().refused.get(debt_id).copied().unwrap_or(0)
    }

    /// How often it is still going to defer the e-mail of that debt.
    pub(crate) fn deferrals(&self, debt_id: &str) -> u32 {
        self.lock().deferrals.get(debt_id).copied().unwrap_or(0)
    }

    /// Defers the e-mail of that debt so often.
    pub(crate) fn defer(&self, debt_id: &str, times: u32) {
        self.lock().deferrals.insert(debt_id.to_owned(), times);
    }

    /// Never takes the e-mail of that debt.
    pub(crate) fn refuse(&self, debt_id: &str, reason: Reason) {
        self.lock().refusals.insert(debt_id.to_owned(), reason);
    }

    /// Takes the e-mail of that debt from now on, whatever it was told before.
    pub(crate) fn accept(&self, debt_id: &str) {
        let mut state = self.lock();
        state.refusals.remove(debt_id);
        state.deferrals.remove(debt_id);
    }

    /// Is away from now on, or there again.
    pub(crate) fn set_away(&self, away: bool) {
        self.lock().away = away;
    }

    /// Goes away at the next so many sends, and is there whenever it is asked.
    pub(crate) fn go_away_at_sends(&self, sends: u32) {
        self.lock().away_for_sends = sends;
    }

    /// How often somebody asked whether it is there.
    pub(crate) fn looked_for(&self) -> u32 {
        self.lock().looked_for
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(&mut self, mail: &Notification) -> Sending {
        *self.asked.entry(mail.debt_id.clone()).or_default() += 1;
        if let Some(reason) = self.refusals.get(&mail.debt_id) {
            *self.refused.entry(mail.debt_id.clone()).or_default() += 1;
            return Sending::Undeliverable(reason.clone());
        }
        match self.deferrals.get_mut(&mail.debt_id) {
            Some(times) if *times > 0 => {
                *times -= 1;
                Sending::Deferred(Reason {
                    code: "mail_deferred".into(),
                    text: "told to defer".into(),
                })
            }
            _ => {
                self.mails.push(mail.clone());
                Sending::Sent
            }
        }
    }
}

impl Dependency for MemoryTransport {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl Transport for MemoryTransport {
    const BATCH: usize = 10;

    async fn ready(&self) -> Result<(), TransportAway> {
        let mut state = self.lock();
        state.looked_for += 1;
        if state.away {
            return Err(TransportAway("told to be away".into()));
        }
        Ok(())
    }

    async fn send(&self, letters: &[&Letter]) -> Vec<Sending> {
        let mut state = self.lock();
        let goes = state.away_for_sends > 0;
        if goes || state.away {
            state.away_for_sends -= u32::from(goes);
            return vec![Sending::Away("told to be away".into()); letters.len()];
        }
        letters
            .iter()
            .map(|letter| state.send(&letter.notification))
            .collect()
    }
}
