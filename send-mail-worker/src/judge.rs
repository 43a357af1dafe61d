//! What follows from the answer of a transport.

use common::ledger::SendEnd;
use std::time::Duration;

use common::messaging::Verdict;
use contract::Reason;
use tracing::{info, warn};

use crate::MailMetrics;
use crate::batch::Mail;
use crate::patience::{OUTCOME_UNKNOWN, PUT_OFF_TOO_LONG, Patience, UNANSWERED};
use crate::transport::Sending;

/// What a try to send an e-mail leads to.
#[derive(Debug)]
pub(crate) enum Tried {
    /// Nothing is left to send.
    Ended(SendEnd),
    /// It is not to be sent: one to another address takes its place.
    Superseded,
    /// The message comes again.
    Again(Verdict),
    /// The same after that time, for which the mail server put it off.
    PutOff(Duration, Reason),
    /// The transport is away or busy, or the lease was not renewed: it is tried
    /// again with the message in hand.
    Held,
}

/// Judges the answers of a transport.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) patience: Patience,
    pub(crate) metrics: MailMetrics,
}

impl Judge {
    /// What follows from the transport's answer, counted and logged.
    pub(crate) fn judge(&self, mail: &Mail, answer: Sending) -> Tried {
        let outcomes = &self.metrics.outcomes;
        let (debt_id, put_off) = (mail.debt_id(), mail.put_off);
        let reason = match answer {
            Sending::Sent => {
                self.metrics.sent.inc();
                outcomes.sent.inc();
                return Tried::Ended(SendEnd::Sent);
            }
            Sending::Away(_) => {
                outcomes.away.inc();
                return Tried::Held;
            }
            Sending::Probed(_) => {
                outcomes.away.inc();
                let wait = self.patience.wait_after(0).unwrap_or_default();
                return Tried::Again(Verdict::PutOffAgain(wait));
            }
            Sending::Busy => return Tried::Held,
            Sending::Deferred(reason) => match self.patience.wait_after(put_off) {
                Some(wait) => {
                    outcomes.put_off.inc();
                    let seconds = wait.as_secs();
                    let text = &*reason.text;
                    info!(
                        debt_id,
                        put_off,
                        seconds,
                        reason = text,
                        "E-mail is put off"
                    );
                    return Tried::PutOff(wait, reason);
                }
                None => PUT_OFF_TOO_LONG,
            },
            Sending::Unknown(reason) => match self.patience.wait_after(put_off) {
                Some(wait) => {
                    outcomes.unknown.inc();
                    let seconds = wait.as_secs();
                    warn!(
                        debt_id,
                        put_off,
                        seconds,
                        reason,
                        "Unknown whether the e-mail was accepted; it is sent once more"
                    );
                    return Tried::PutOff(wait, UNANSWERED);
                }
                None => OUTCOME_UNKNOWN,
            },
            Sending::Undeliverable(reason) => reason,
        };
        outcomes.undeliverable.inc();
        let (code, text) = (&*reason.code, &*reason.text);
        warn!(debt_id, code, reason = text, "E-mail is undeliverable");
        Tried::Ended(SendEnd::Undeliverable(reason))
    }
}
