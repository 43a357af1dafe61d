//! What the failure of a step was. SMTP servers quote addresses in what they
//! answer, so only the numbers of an answer are kept.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use thiserror::Error;

/// Why a step of a dialogue failed, without personal data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Failure {
    /// The server answered no.
    #[error("{0}")]
    Refused(Reply),
    /// The connection failed, or what came was not SMTP.
    #[error("{0}")]
    Lost(String),
    /// No answer came.
    #[error("no answer in {} s", .0.as_secs_f64())]
    Late(Duration),
}

/// The numbers of a negative answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Status code (RFC 5321, section 4.2).
    code: u16,
    /// Enhanced status code (RFC 3463), where there is one.
    enhanced: Option<[u8; 3]>,
    /// The text says that the server does not relay: it takes us for
    /// strangers. There is no number for that which all servers use.
    relaying_denied: bool,
}

impl Failure {
    /// Whether nothing more can be said over the connection.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Refused(reply) => reply.closes(),
            Self::Lost(_) | Self::Late(_) => true,
        }
    }
}

impl From<SmtpError> for Failure {
    fn from(error: SmtpError) -> Self {
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => Self::Refused(Reply::new(code.into(), &text)),
            // Such an error quotes what the server said.
            None if error.is_response() => {
                Self::Lost("the server closed the connection or did not speak SMTP".into())
            }
            None => Self::Lost(text),
        }
    }
}

impl Reply {
    fn new(code: u16, text: &str) -> Self {
        Self {
            code,
            enhanced: enhanced_code(code, text),
            relaying_denied: text.split_whitespace().any(is_relaying),
        }
    }

    /// Whether it is for good (5xx).
    pub(super) fn is_permanent(self) -> bool {
        self.code >= 500
    }

    /// Whether the server closes the connection with it (RFC 5321, 3.8).
    pub(super) fn closes(self) -> bool {
        self.code == 421
    }

    /// Whether it is about this message, though the command was about the
    /// sender: its size, or what it consists of (RFC 3463: x.2.3, x.3.4 and
    /// x.6). Servers that know no enhanced codes say 552 of the size.
    pub(super) fn names_the_message(self) -> bool {
        match self.enhanced {
            Some([_, 2, 3] | [_, 3, 4] | [_, 6, _]) => true,
            Some(_) => false,
            None => self.code == 552,
        }
    }

    /// Whether it is about us, whatever command it answered: many servers
    /// keep what they have against a client or a sender until they hear a
    /// recipient. Not logged in or not trusted (RFC 4954), out of step, a bad
    /// sender (x.1.7, x.1.8), no relaying.
    pub(super) fn names_us(self) -> bool {
        matches!(self.code, 503 | 530 | 534 | 535 | 538)
            || matches!(self.enhanced, Some([_, 1, 7 | 8] | [_, 7, 8 | 9 | 11]))
            || self.relaying_denied && matches!(self.enhanced, None | Some([_, 7, _]))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some([class, subject, detail]) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        Ok(())
    }
}

/// The enhanced code at the start of a reply's text. Numbers that are not
/// registered, of which a server could make thousands, are left out.
fn enhanced_code(code: u16, text: &str) -> Option<[u8; 3]> {
    let word = text.split_whitespace().next()?;
    let mut numbers = word.trim_start_matches('#').split('.').map(str::parse);
    let mut number = || numbers.next()?.ok();
    let (class, subject, detail) = (number()?, number()?, number()?);
    let fits = u16::from(class) == code / 100 && subject <= 7 && detail <= 99;
    (fits && numbers.next().is_none()).then_some([class, subject, detail])
}

/// `relay` or `relaying` as a word of a sentence, not as part of a name.
fn is_relaying(word: &str) -> bool {
    let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
    word.eq_ignore_ascii_case("relay") || word.eq_ignore_ascii_case("relaying")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_kept() {
        for (code, text, kept) in [
            (550, "5.1.1 <ze@example.com>: unknown", "550 5.1.1"),
            (550, "#5.1.0 Address rejected ze@example.com", "550 5.1.0"),
            (550, "ze@example.com is unknown", "550"),
            (450, "", "450"),
            (450, "5.1.1 another class", "450"),
            (550, "5.1 two numbers", "550"),
            (550, "5.1.1.1 four numbers", "550"),
            (550, "5.1.100 not registered", "550"),
            (550, "192.168.1.1 is blocked", "550"),
        ] {
            assert_eq!(Reply::new(code, text).to_string(), kept, "{text}");
        }
    }

    #[test]
    fn who_an_answer_is_about_is_told_apart() {
        let us = |code, text| Reply::new(code, text).names_us();
        assert!(us(530, "5.7.0 Authentication required"));
        assert!(us(554, "5.7.1 <ze@example.com>: Relay access denied"));
        assert!(us(550, "5.7.1 <ze@example.com>... Relaying denied"));
        assert!(us(550, "relay not permitted"));
        assert!(us(553, "5.1.8 sender's domain not found"));
        assert!(!us(550, "5.1.1 no such user"));
        assert!(!us(550, "5.1.1 the relay knows no such user"));
        assert!(!us(550, "<relay@example.com> unknown at relay.example.com"));
        assert!(!us(550, "5.7.1 the recipient does not want it"));

        let message = |code, text| Reply::new(code, text).names_the_message();
        assert!(message(552, "too big"));
        assert!(message(552, "5.3.4 too big"));
        assert!(message(550, "5.6.7 not ASCII"));
        assert!(!message(552, "5.2.2 your mailbox is full"));
        assert!(!message(550, "5.7.1 not your address"));
    }
}
