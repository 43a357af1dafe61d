//! The e-mail of a billed debt, in Brazilian Portuguese: what it says, and
//! the bytes that say it.
//!
//! | part | what it does |
//! | --- | --- |
//! | `address` | the debtor's address as a header can carry it |
//! | `one_line` | texts of somebody else's, made harmless |
//! | `content` | what the text and the HTML part say |
//! | `mime` | the parts of the message and their encodings |

mod address;
mod content;
mod mime;
mod one_line;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use contract::{Notification, Reason};
use jiff::Timestamp;
use lettre::Address;
use lettre::message::header::{self, HeaderName, HeaderValue, Headers};
use lettre::message::{Mailbox, Mailboxes};
use thiserror::Error;

use content::{Content, Payable};
use mime::Attachment;
use one_line::one_line;

/// Headers that do not depend on anything.
const SAME_FOR_ALL: [(&str, &str); 3] = [
    // RFC 3834: a program wrote it, so no program should answer.
    ("Auto-Submitted", "auto-generated"),
    // The same for Exchange. Not `All`, which also suppresses the report that
    // an e-mail could not be delivered.
    ("X-Auto-Response-Suppress", "OOF, AutoReply"),
    ("Content-Language", "pt-BR"),
];

/// An e-mail, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// Whom it goes to.
    pub to: Address,
    /// Headers and body (RFC 5322), as they follow SMTP's `DATA`: ASCII, lines
    /// that end in CRLF. The dots are not doubled yet.
    pub message: Vec<u8>,
}

/// The slip of a boleto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedSlip {
    /// The PDF.
    pub pdf: Vec<u8>,
    /// Whether its issuer registers boletos. One that is not registered cannot
    /// be paid, and its e-mail says so.
    pub registered: bool,
}

/// Why a debt has no e-mail. It will not have one later either. The text
/// holds no personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ComposeError {
    /// No address of RFC 5321, or one whose local part is not ASCII (that
    /// takes a server with SMTPUTF8) or is quoted so that readers of the
    /// header would not agree on where it ends.
    #[error("the e-mail address cannot be written into an e-mail")]
    AddressUnsupported,
}

impl ComposeError {
    /// Stable name of the reason, in `snake_case`.
    pub fn code(self) -> &'static str {
        match self {
            Self::AddressUnsupported => "address_unsupported",
        }
    }
}

impl From<ComposeError> for Reason {
    fn from(error: ComposeError) -> Self {
        Self {
            code: error.code().into(),
            text: error.to_string().into(),
        }
    }
}

/// Makes e-mails. What is the same for all of them is made once.
#[derive(Clone, Debug)]
pub struct Composer {
    /// The headers that all e-mails have.
    headers: Headers,
    /// Whether somebody reads the answers.
    answered: bool,
}

impl Composer {
    /// For e-mails of that sender. Without `reply_to` they ask not to be
    /// answered.
    pub fn new(from: Mailbox, reply_to: Option<Mailbox>) -> Self {
        let answered = reply_to.is_some();
        let mut headers = Headers::with_capacity(12);
        headers.set(header::From::from(Mailboxes::from(from)));
        if let Some(reply_to) = reply_to {
            headers.set(header::ReplyTo::from(Mailboxes::from(reply_to)));
        }
        for (name, value) in SAME_FOR_ALL {
            let name = HeaderName::new_from_ascii_str(name);
            headers.insert_raw(HeaderValue::new(name, value.to_owned()));
        }
        headers.set(header::MIME_VERSION_1_0);
        Self { headers, answered }
    }

    /// The e-mail of a notification.
    ///
    /// `slip` is that of its boleto. Without it, or without a boleto that
    /// names its beneficiary, the e-mail tells of the debt but has nothing to
    /// pay it with. `message_id` has its angle brackets. For the same
    /// arguments the message is the same to the byte; `now` is in its `Date`
    /// and nowhere else.
    ///
    /// # Errors
    /// When the address cannot be written into an e-mail.
    pub fn compose(
        &self,
        notification: &Notification,
        slip: Option<PrintedSlip>,
        message_id: &str,
        now: Timestamp,
    ) -> Result<Email, ComposeError> {
        let to = address::read(&notification.email)?;
        // Both, or neither: a PDF without words, or words about no PDF, would
        // be no bill.
        let bill = notification.boleto.as_ref().zip(slip);
        let (payable, attachment) = bill
            .and_then(|(boleto, slip)| {
                let payable = Payable::of(boleto, slip.registered)?;
                Some((payable, Attachment::of(boleto, slip.pdf)))
            })
            .unzip();
        let content = Content::new(notification, payable, self.answered);

        let mut headers = self.headers.clone();
        // Some readers take the quotes of `"a b"@example.com` for those of a
        // name. In angle brackets, which even an empty name has, they do not.
        let name = Some(one_line(&notification.name));
        headers.set(header::To::from(Mailboxes::from(Mailbox::new(
            name,
            to.clone(),
        ))));
        headers.set(header::Subject::from(header_text(&content.subject)));
        headers.set(header::Date::new(system_time(now)));
        headers.set(header::MessageId::from(message_id.to_owned()));

        let parts = mime::parts(&content, attachment, message_id);
        let mut message = headers.to_string().into_bytes();
        message.append(&mut parts.formatted());
        Ok(Email { to, message })
    }
}

/// Whoever reads a header decodes what looks like an encoded word (RFC 2047).
/// What came as plain text must not.
fn header_text(text: &str) -> String {
    text.replace("=?", "= ?")
}

/// To the second, as a `Date` has it; a clock before 1970 shows 1970.
fn system_time(now: Timestamp) -> SystemTime {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
