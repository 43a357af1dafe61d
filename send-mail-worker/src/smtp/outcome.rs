//! What a failure means for the message.

use std::borrow::Cow;

use common::runtime::Transient;
use contract::Reason;
use lettre::Address;
use thiserror::Error;

use super::connection::{Stage, Stopped};
use super::failure::{Failure, Refusal};

/// The mail server cannot be used at the moment; waiting may mend it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct MailServerAway(pub(super) String);

impl Transient for MailServerAway {
    fn is_transient(&self) -> bool {
        true
    }
}

/// A message was not delivered. No text holds personal data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// The server cannot be reached, refuses our TLS, login or sender, or has
    /// no room for connections. Nothing of this message was sent, and the
    /// fault is not the recipient's: [`Smtp::ready`](super::Smtp::ready)
    /// tells when it is over.
    #[error("the mail server is away: {0}")]
    Away(String),
    /// No connection has become free: nothing was sent, and nothing is wrong.
    #[error("all connections are busy")]
    Busy,
    /// Not now, as the server refuses one recipient after another, and with
    /// this message it was tried: the next one that tries it is to be another.
    #[error("the mail server is away: {0}")]
    Probed(String),
    /// Not now: a 4xx answer (greylisting), a 5xx answer that may be about us
    /// but came late in the dialogue, or the connection was lost before the
    /// end of the message. The server has not taken it.
    #[error("the mail server defers it: {}", .0.text)]
    Deferred(Reason),
    /// No answer came to the end of the message: the server may have taken it.
    #[error("unknown whether the mail server accepted it: {0}")]
    Unknown(String),
    /// Never: a 5xx answer that is surely about this recipient or this message.
    #[error("it cannot be delivered: {}", .0.text)]
    Undeliverable(Reason),
}

impl From<MailServerAway> for DeliveryError {
    fn from(error: MailServerAway) -> Self {
        Self::Away(error.0)
    }
}

/// Only what [`Smtp::ready`](super::Smtp::ready) asks: about the sender.
impl From<Stopped> for MailServerAway {
    fn from(stopped: Stopped) -> Self {
        Self(format!("our sender was not taken: {}", stopped.failure))
    }
}

impl From<Stopped> for DeliveryError {
    fn from(Stopped { stage, failure }: Stopped) -> Self {
        match (stage, failure) {
            (Stage::Address, _) => Self::Undeliverable(reason(
                "address_unsupported",
                "the mail server takes ASCII only in the local part of an address".into(),
            )),
            (Stage::Sender { .. }, Failure::Refused(reply)) if reply.may_be_about_the_message() => {
                of_reply(stage, &reply)
            }
            // It may be what was said for this message: others may pass.
            (Stage::Sender { extended: true }, failure) => {
                let text = format!("MAIL with parameters was not taken: {failure}");
                Self::Deferred(reason("mail_deferred", text))
            }
            (Stage::Sender { extended: false }, failure) => {
                Self::Away(format!("our sender was not taken: {failure}"))
            }
            (_, Failure::Refused(reply)) => of_reply(stage, &reply),
            (Stage::End, failure) => Self::Unknown(format!("lost at {stage}: {failure}")),
            (_, failure) => {
                let text = format!("lost at {stage}: {failure}");
                Self::Deferred(reason("mail_connection_lost", text))
            }
        }
    }
}

/// Final only where the reply is surely about the recipient or the message:
/// what a server has against a sender ends, and nobody would take the e-mails
/// up again that were given up meanwhile.
fn of_reply(stage: Stage, reply: &Refusal) -> DeliveryError {
    let refuses_the_message = match stage {
        Stage::End => reply.refuses_the_whole_message(),
        _ => reply.refuses_the_message(),
    };
    if refuses_the_message {
        let text = format!("the mail server refused the message for good: {reply}");
        return DeliveryError::Undeliverable(reason("message_refused", text));
    }
    if stage == Stage::Recipient && reply.refuses_the_recipient() {
        let text = format!("the mail server refused the recipient for good: {reply}");
        return DeliveryError::Undeliverable(reason("mailbox_refused", text));
    }
    let code = if reply.is_about_a_full_mailbox() {
        "mailbox_full"
    } else {
        "mail_deferred"
    };
    DeliveryError::Deferred(reason(code, format!("{reply} at {stage}")))
}

fn reason(code: &'static str, text: String) -> Reason {
    Reason {
        code: Cow::Borrowed(code),
        text: Cow::Owned(text),
    }
}

/// An address as servers take it that know ASCII only: a domain with other
/// characters has an equivalent (RFC 5891), what stands before the @ has none.
pub(super) fn on_the_wire(address: &Address) -> Cow<'_, Address> {
    if address.domain().is_ascii() {
        return Cow::Borrowed(address);
    }
    match idna::domain_to_ascii(address.domain()) {
        Ok(domain) => Cow::Owned(Address::new_dangerous(address.user(), domain)),
        // Then it needs a server that takes the original.
        Err(_) => Cow::Borrowed(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_sent_in_ascii() {
        let wire = |text: &str| on_the_wire(&text.parse().unwrap()).to_string();
        assert_eq!(wire("ze@example.com"), "ze@example.com");
        assert_eq!(wire("ze@açaí.com.br"), "ze@xn--aa-4iaz.com.br");
        assert_eq!(wire("josé@açaí.com.br"), "josé@xn--aa-4iaz.com.br");
    }
}
