use std::borrow::Cow;

use boleto::{AboveBankLimit, AmountError, DueDateError, OutsideWindow};
use thiserror::Error;

use super::Column;

/// What is recorded with the outcome of a row: a stable name for programs,
/// and words for people. Neither holds personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Stable name, in `snake_case`.
    pub code: Cow<'static, str>,
    /// The reason in plain words.
    pub text: Cow<'static, str>,
}

impl Reason {
    /// Whether a text could be a code: up to 64 of `a-z`, `0-9` and `_`, which
    /// need no escapes in an address.
    pub fn is_code(text: &str) -> bool {
        let is_known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(is_known)
    }
}

impl From<InvalidReason> for Reason {
    fn from(reason: InvalidReason) -> Self {
        Self {
            code: Cow::Borrowed(reason.code()),
            text: Cow::Owned(reason.to_string()),
        }
    }
}

/// Why a row is INVALID. The text is for people, [`InvalidReason::code`] for
/// programs; neither holds personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidReason {
    /// The body holds no CSV record.
    #[error("the message holds no CSV record")]
    NotOneRecord,
    /// The body holds more CSV records than are read of one.
    #[error("the message holds more CSV records than {most}")]
    TooManyRecords {
        /// How many it may hold.
        most: usize,
    },
    /// The record does not have the fields that it should have.
    #[error("the record has {} fields instead of {expected}", shown(*found))]
    FieldCount {
        /// Fields of the record.
        found: usize,
        /// Fields it should have.
        expected: usize,
    },
    /// Its quotes do not pair.
    #[error(
        "a quote in the line is out of place: a field that begins with one must end with one, and a quote within it is doubled; only the name and columns that are not read may hold line breaks, ten at most"
    )]
    Quotes,
    /// What the text says is not to be told from its bytes.
    #[error(
        "the text is damaged: it is neither UTF-8 nor Windows-1252, or was converted twice; export the file again as CSV UTF-8"
    )]
    Encoding,
    /// The header of another file that was put behind this one.
    #[error("the line repeats the header; the rows after it are read")]
    Header,
    /// What a program writes where it has no value.
    #[error("the column {column} holds a placeholder or a spreadsheet error instead of a value")]
    Placeholder {
        /// The column.
        column: &'static str,
    },
    /// A character that nobody sees, where it would make two values of one.
    #[error("the column {column} holds the invisible character U+{:04X}; delete it", u32::from(*.character))]
    Invisible {
        /// The column.
        column: &'static str,
        /// The character.
        character: char,
    },
    /// A text that is longer than what it should hold.
    #[error("the column {column} has more than {most} characters")]
    TooLong {
        /// The column.
        column: &'static str,
        /// Most characters.
        most: usize,
    },
    /// No letter or digit in the name.
    #[error("the name is empty, or has no letter or digit")]
    NameEmpty,
    /// An export has put backslashes into the name.
    #[error(
        "the name holds a backslash, which an export puts before quotes and line breaks; export it with quotes doubled instead"
    )]
    NameEscaped,
    /// No document.
    #[error("the government id is empty")]
    GovernmentIdEmpty,
    /// The document has a sign or a decimal, or was written as a number.
    #[error(
        "the government id is not letters and digits with the dots, dashes and slashes of a CPF or CNPJ; a spreadsheet may have made a number of it: format the column as text"
    )]
    GovernmentIdMalformed,
    /// Neither a CPF nor a CNPJ, where the strict mode asks for one.
    #[error("the government id is not a valid CPF or CNPJ")]
    GovernmentIdInvalid,
    /// Not an address that a mail server would take.
    #[error("the e-mail address is not valid")]
    EmailInvalid,
    /// The amount cannot be billed.
    #[error("{0}")]
    Amount(#[from] AmountError),
    /// The issuer's bank takes less.
    #[error("{0}")]
    AmountAboveBankLimit(#[from] AboveBankLimit),
    /// The due date cannot be billed.
    #[error("{0}")]
    DueDate(#[from] DueDateError),
    /// Banks would read the due date as another day.
    #[error("{0}")]
    DueDateOutsideWindow(#[from] OutsideWindow),
    /// Nothing that identifies the debt.
    #[error("the debt id is empty")]
    DebtIdEmpty,
    /// It looks like another id, and is not: it would be a second debt.
    #[error(
        "the debt id holds U+{:04X}, two blanks in a row, or an accent apart from its letter, and looks like another id; write it as the other files do", u32::from(*.character)
    )]
    DebtIdAlike {
        /// The character that looks like another one.
        character: char,
    },
    /// What a program has made of what identified the debt.
    #[error(
        "the debt id is a number in spreadsheet notation (3,52604E+43, 17.0) or a formula; format the column as text"
    )]
    DebtIdMalformed,
    /// A queue or the topic could not carry it.
    #[error("the record is too large for a message")]
    TooLarge,
    /// SQS takes the characters of XML 1.0 only (no control characters but
    /// tab, line feed and carriage return).
    #[error("the record holds a character that a message cannot carry")]
    Characters,
    /// A rule of the one who runs the suite.
    #[error("{text}")]
    Rule {
        /// Stable name of the reason.
        code: &'static str,
        /// The reason in words, without personal data.
        text: &'static str,
    },
    /// SQS refused the message and blamed the sender for it.
    #[error("the queue refused the record")]
    RefusedByQueue,
}

impl InvalidReason {
    /// The column that holds what is wrong, where it is one.
    pub fn column(&self) -> Option<&'static str> {
        let column = match self {
            Self::Placeholder { column }
            | Self::Invisible { column, .. }
            | Self::TooLong { column, .. } => return Some(column),
            Self::NameEmpty | Self::NameEscaped => Column::Name,
            Self::GovernmentIdEmpty | Self::GovernmentIdMalformed | Self::GovernmentIdInvalid => {
                Column::GovernmentId
            }
            Self::EmailInvalid => Column::Email,
            Self::Amount(_) | Self::AmountAboveBankLimit(_) => Column::DebtAmount,
            Self::DueDate(_) | Self::DueDateOutsideWindow(_) => Column::DebtDueDate,
            Self::DebtIdEmpty | Self::DebtIdMalformed | Self::DebtIdAlike { .. } => Column::DebtId,
            Self::NotOneRecord
            | Self::TooManyRecords { .. }
            | Self::FieldCount { .. }
            | Self::Quotes
            | Self::Encoding
            | Self::Header
            | Self::TooLarge
            | Self::Characters
            | Self::Rule { .. }
            | Self::RefusedByQueue => return None,
        };
        Some(column.name())
    }

    /// Stable name of the reason, in `snake_case`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOneRecord => "not_one_record",
            Self::TooManyRecords { .. } => "too_many_records",
            Self::FieldCount { .. } => "field_count",
            Self::Quotes => "quotes",
            Self::Encoding => "encoding",
            Self::Header => "header_again",
            Self::Placeholder { .. } => "placeholder",
            Self::Invisible { .. } => "invisible_character",
            Self::TooLong { .. } => "too_long",
            Self::NameEmpty => "name_empty",
            Self::NameEscaped => "name_escaped",
            Self::GovernmentIdEmpty => "government_id_empty",
            Self::GovernmentIdMalformed => "government_id_malformed",
            Self::GovernmentIdInvalid => "government_id_invalid",
            Self::EmailInvalid => "email_invalid",
            Self::Amount(AmountError::Empty) => "amount_empty",
            Self::Amount(AmountError::Malformed) => "amount_malformed",
            Self::Amount(AmountError::Ambiguous) => "amount_ambiguous",
            Self::Amount(AmountError::TooManyDecimals) => "amount_too_many_decimals",
            Self::Amount(AmountError::NotPositive) => "amount_not_positive",
            Self::Amount(AmountError::AboveLimit) => "amount_above_limit",
            Self::AmountAboveBankLimit(_) => "amount_above_bank_limit",
            Self::DueDate(DueDateError::Malformed) => "due_date_malformed",
            Self::DueDate(DueDateError::NoFactor) => "due_date_no_factor",
            Self::DueDateOutsideWindow(_) => "due_date_outside_window",
            Self::DebtIdEmpty => "debt_id_empty",
            Self::DebtIdMalformed => "debt_id_malformed",
            Self::DebtIdAlike { .. } => "debt_id_alike",
            Self::TooLarge => "too_large",
            Self::Characters => "characters",
            Self::Rule { code, .. } => code,
            Self::RefusedByQueue => "refused_by_queue",
        }
    }
}

/// A number of fields in a reason. Few different ones, as the ledger keeps few
/// reasons an import.
fn shown(fields: usize) -> String {
    const MOST: usize = 50;
    if fields > MOST {
        format!("more than {MOST}")
    } else {
        fields.to_string()
    }
}
