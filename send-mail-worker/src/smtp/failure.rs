//! What the failure of a step was. SMTP servers quote addresses in what they
//! answer, so only the numbers of an answer are kept.

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error;

use super::about::About;
use super::words::Words;

/// Why a step of a dialogue failed, without personal data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Failure {
    /// The server answered no.
    #[error("{0}")]
    Refused(Refusal),
    /// The connection failed, or what came was not SMTP.
    #[error("{0}")]
    Lost(String),
    /// No answer came.
    #[error("no answer in {} s", .0.as_secs_f64())]
    Late(Duration),
}

/// Why there is no connection: a step on the way to it failed.
#[derive(Debug)]
pub(super) struct NotOpened {
    pub(super) step: &'static str,
    pub(super) failure: Failure,
}

/// That step failed.
pub(super) fn at_step(step: &'static str) -> impl FnOnce(Failure) -> NotOpened {
    move |failure| NotOpened { step, failure }
}

/// The numbers of a negative answer, and those of its words that can be of
/// nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Status code (RFC 5321, section 4.2).
    code: u16,
    /// Enhanced status code (RFC 3463), where there is one.
    enhanced: Option<[u16; 3]>,
    /// What the text is about, as far as it says so.
    about: About,
    /// Its words, masked.
    words: Words,
}

/// The numbers of a negative answer.
pub(super) type Numbers = (u16, Option<[u16; 3]>);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // By the text of an operating system nobody knows who did it.
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::closed(),
            _ => Self::Lost(error.to_string()),
        }
    }
}

const CLOSED: &str = "the server closed the connection";

impl Failure {
    /// The connection ended where an answer was due.
    pub(super) fn closed() -> Self {
        Self::Lost(CLOSED.into())
    }

    /// Whether the server refused, and for good.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_permanent())
    }

    /// Whether nothing more can be said over the connection.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.closes(),
            Self::Lost(_) | Self::Late(_) => true,
        }
    }
}

impl Refusal {
    /// Of the code and the text of an answer.
    pub(super) fn new(code: u16, text: &str) -> Self {
        Self {
            code,
            enhanced: enhanced_code(text),
            about: About::of(text),
            words: Words::of(text),
        }
    }

    /// Whether the server does not know the command (RFC 5321, section 4.2.4).
    pub(super) fn is_of_an_unknown_command(&self) -> bool {
        matches!(self.code, 500 | 502)
    }

    /// Whether it does not know the way to log in (RFC 4954, section 4).
    pub(super) fn is_of_an_unknown_mechanism(&self) -> bool {
        matches!(self.code, 500..=504)
    }

    /// Whether it is about how many recipients or messages there were (RFC
    /// 3463, X.5.3; RFC 5321, section 4.5.3.1.10), or closes the connection.
    pub(super) fn is_about_how_many(&self) -> bool {
        let is_too_many = match self.enhanced {
            Some([_, subject, detail]) => (subject, detail) == (5, 3),
            None => self.code == 452,
        };
        is_too_many || self.closes()
    }

    /// Whether it says that the mailbox has no room (RFC 3463, X.2.2).
    pub(super) fn is_about_a_full_mailbox(&self) -> bool {
        matches!(self.enhanced, Some([_, 2, 2]))
    }

    /// Its codes, the same for all answers of a kind.
    pub(super) fn numbers(&self) -> Numbers {
        (self.code, self.enhanced)
    }

    /// Its words, masked.
    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// Whether it is for good (5xx).
    pub(super) fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Whether the server closes the connection with it (RFC 5321, 3.8).
    pub(super) fn closes(&self) -> bool {
        self.code == 421
    }

    /// Whether it may be about this message, though the command was about the
    /// sender: its size, or what it consists of. Servers that know no enhanced
    /// codes say 552 of the size, and of a quota.
    pub(super) fn may_be_about_the_message(&self) -> bool {
        match self.enhanced {
            Some([_, 2, 3] | [_, 3, 4] | [_, 6, _]) => true,
            Some(_) => false,
            None => self.code == 552,
        }
    }

    /// Whether it refuses this message for good, whoever sends it: it is too
    /// big (x.3.4), or what it consists of is not taken (x.6).
    pub(super) fn refuses_the_message(&self) -> bool {
        matches!(self.enhanced, Some([5, 3, 4] | [5, 6, _])) && self.is_permanent()
    }

    /// The same of an answer to the end of the message, where 552 is of its
    /// size if the words say so: it is of the sender's quota just as well.
    pub(super) fn refuses_the_whole_message(&self) -> bool {
        let is_too_big = self.code == 552 && self.enhanced.is_none() && self.about == About::Size;
        is_too_big || self.refuses_the_message()
    }

    /// Whether an answer to RCPT is surely about the recipient, for good: the
    /// mailbox or its domain does not exist, has moved or is closed. Many
    /// servers keep what they have against a client or a sender until they
    /// hear a recipient, so that the command alone says nothing.
    pub(super) fn refuses_the_recipient(&self) -> bool {
        match self.enhanced {
            Some([5, 1, 1 | 2 | 3 | 6 | 10] | [5, 2, 1]) => self.is_permanent(),
            Some(_) => false,
            None => matches!(self.code, 550 | 551 | 553) && self.about == About::Recipient,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some([class, subject, detail]) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        Ok(())
    }
}

/// The enhanced code of a reply's text: its first word, or where that is none,
/// one that is marked with `#` anywhere, as in `no mailbox here (#5.1.1)`.
fn enhanced_code(text: &str) -> Option<[u16; 3]> {
    let mut words = text.split_whitespace();
    let first = words.next()?;
    numbers(first.trim_start_matches('#')).or_else(|| {
        let mut marked = std::iter::once(first).chain(words).rev();
        marked.find_map(|word| {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '#');
            numbers(word.strip_prefix('#')?)
        })
    })
}

/// Three numbers of up to three digits (RFC 3463, section 2), of which the
/// first is a class.
fn numbers(word: &str) -> Option<[u16; 3]> {
    let mut parts = word.split('.').map(|part| {
        let is_short = (1..=3).contains(&part.len());
        let is_number = is_short && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    });
    let mut number = || parts.next()?;
    let three = [number()?, number()?, number()?];
    (matches!(three[0], 2 | 4 | 5) && parts.next().is_none()).then_some(three)
}

#[cfg(test)]
mod tests;
