use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A moment of a dialogue at which something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection was taken, and the greeting is due.
    Greeting,
    /// EHLO
    Hello,
    /// STARTTLS
    StartTls,
    /// AUTH
    Login,
    /// MAIL
    Sender,
    /// RCPT
    Recipient,
    /// DATA
    Data,
    /// The message has come, and the answer is due.
    Message,
    /// RSET
    Reset,
    /// NOOP
    Noop,
}

/// What a server does instead of what it should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Answers that; after 421 it closes the connection. A message is not kept.
    Answer(&'static str),
    /// Closes the connection without an answer. A message is not kept.
    HangUp,
    /// Keeps the message and closes the connection without an answer.
    KeepAndHangUp,
    /// Never answers. A message is not kept.
    Hang,
    /// Does what it should, after that time.
    Delay(Duration),
}

/// Something that a server does wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    stage: Stage,
    act: Act,
    recipient: Option<String>,
    left: Option<u32>,
}

impl Fault {
    /// At each time that stage is reached.
    pub fn new(stage: Stage, act: Act) -> Self {
        Self {
            stage,
            act,
            recipient: None,
            left: None,
        }
    }

    /// Only where the recipient is that one, hence from RCPT on.
    #[must_use]
    pub fn to(mut self, recipient: &str) -> Self {
        self.recipient = Some(recipient.to_owned());
        self
    }

    /// Only the first so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    fn is_due(&self, stage: Stage, recipient: Option<&str>) -> bool {
        let is_for = |wanted: &String| Some(wanted.as_str()) == recipient;
        self.stage == stage && self.left != Some(0) && self.recipient.as_ref().is_none_or(is_for)
    }
}

/// All that a server does wrong.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.all().push(fault);
    }

    pub(super) fn clear(&self) {
        self.all().clear();
    }

    /// What to do wrong now, by the first fault that is due.
    pub(super) fn due(&self, stage: Stage, recipient: Option<&str>) -> Option<Act> {
        let mut all = self.all();
        let fault = all
            .iter_mut()
            .find(|fault| fault.is_due(stage, recipient))?;
        fault.left = fault.left.map(|left| left - 1);
        Some(fault.act)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
