use boleto::{Amount, DueDate};
use email_address::{EmailAddress, Options};

use super::field::{
    alike, is_decimal, is_invisible, is_machine_number, is_placeholder, trimmed, unwrapped, visible,
};
use super::{Column, Fields, InvalidReason, OptionalFields};

/// Most characters of a name and of a debt's id. What is longer is not one:
/// the text of other fields has come into it.
const MAX_CHARACTERS: usize = 500;
/// Most letters and digits of a document: more than any country's has, and
/// fewer than two of Brazil's.
const MAX_DOCUMENT: usize = 20;

/// One valid debt of the input file, its fields trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebtRecord {
    /// Name of the debtor; it has a letter or a digit.
    pub name: String,
    /// Document of the debtor: digits and capital letters, leading zeros
    /// kept. Not necessarily a valid CPF or CNPJ.
    pub government_id: String,
    /// Address for the e-mail.
    pub email: String,
    /// What is owed.
    pub amount: Amount,
    /// When it is due.
    pub due_date: DueDate,
    /// What identifies the debt; never empty.
    pub debt_id: String,
    /// What there is of the optional columns.
    pub columns: OptionalFields,
}

impl DebtRecord {
    /// Validates the six fields; there is nothing of an optional column. Each is
    /// read without the blanks, the invisible characters and the wrapper
    /// (`="000123"`, `'000123`) that spreadsheets and exports leave around it.
    ///
    /// # Errors
    /// The first field that cannot be billed decides the reason.
    pub fn from_fields<'a>(fields: impl Into<Fields<&'a str>>) -> Result<Self, InvalidReason> {
        let fields = fields.into().map(unwrapped);
        check_debt_id(fields[Column::DebtId])?;
        let name = name_of(fields[Column::Name])?;
        let government_id = document_of(fields[Column::GovernmentId])?;
        let email = email_address(fields[Column::Email])?;
        Ok(Self {
            name,
            government_id,
            email,
            amount: fields[Column::DebtAmount].parse()?,
            due_date: fields[Column::DebtDueDate].parse()?,
            debt_id: fields[Column::DebtId].to_owned(),
            columns: OptionalFields::default(),
        })
    }
}

/// An id that looks like another one, and is not, would be a second bill.
fn check_debt_id(text: &str) -> Result<(), InvalidReason> {
    const COLUMN: &str = Column::DebtId.name();
    if text.is_empty() {
        return Err(InvalidReason::DebtIdEmpty);
    }
    if is_placeholder(text) || !text.chars().any(char::is_alphanumeric) {
        return Err(InvalidReason::Placeholder { column: COLUMN });
    }
    let is_other_blank = |c: char| c.is_whitespace() && c != ' ';
    no_character(COLUMN, text, |c| is_invisible(c) || is_other_blank(c))?;
    if is_machine_number(text) || text.starts_with('=') {
        return Err(InvalidReason::DebtIdMalformed);
    }
    if let Some(character) = alike(text) {
        return Err(InvalidReason::DebtIdAlike { character });
    }
    not_too_long(COLUMN, text, MAX_CHARACTERS)
}

fn name_of(text: &str) -> Result<String, InvalidReason> {
    const COLUMN: &str = Column::Name.name();
    // What was hidden may have hidden a wrapper.
    let name = visible(text);
    let name = unwrapped(&name);
    if is_placeholder(name) {
        return Err(InvalidReason::Placeholder { column: COLUMN });
    }
    if !name.chars().any(char::is_alphanumeric) {
        return Err(InvalidReason::NameEmpty);
    }
    if name.contains('\\') {
        return Err(InvalidReason::NameEscaped);
    }
    not_too_long(COLUMN, name, MAX_CHARACTERS)?;
    Ok(name.to_owned())
}

/// `123.456.789-09` → `12345678909`; CNPJs have held letters since July 2026.
fn document_of(text: &str) -> Result<String, InvalidReason> {
    const COLUMN: &str = Column::GovernmentId.name();
    if text.is_empty() {
        return Err(InvalidReason::GovernmentIdEmpty);
    }
    // A spreadsheet gives 0 for a cell that it looked up and found empty.
    let is_nothing = |c: char| matches!(c, '0' | '.' | '-' | '/' | ' ');
    if is_placeholder(text) || text.chars().all(is_nothing) {
        return Err(InvalidReason::Placeholder { column: COLUMN });
    }
    no_character(COLUMN, text, is_invisible)?;
    let is_taken =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | ' ' | '\u{a0}');
    let is_enclosed = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !text.chars().all(is_taken)
        || !is_enclosed(text.chars().next())
        || !is_enclosed(text.chars().next_back())
        || is_machine_number(text)
        || is_decimal(text)
    {
        return Err(InvalidReason::GovernmentIdMalformed);
    }
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    let document: String = kept.map(|c| c.to_ascii_uppercase()).collect();
    not_too_long(COLUMN, &document, MAX_DOCUMENT)?;
    Ok(document)
}

/// An address that an e-mail can be sent to, without the blanks around it.
///
/// # Errors
/// When no mail server would take it.
pub fn email_address(text: &str) -> Result<String, InvalidReason> {
    let text = trimmed(text);
    no_character(Column::Email.name(), text, is_invisible)?;
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    // The mailbox 'a of 'a@example.com is nobody's.
    let is_quoted = text.starts_with('\'') || text.ends_with('\'');
    if is_quoted || EmailAddress::parse_with_options(text, options).is_err() {
        return Err(InvalidReason::EmailInvalid);
    }
    Ok(text.to_owned())
}

fn no_character(
    column: &'static str,
    text: &str,
    is_refused: impl Fn(char) -> bool,
) -> Result<(), InvalidReason> {
    let found = text.chars().find(|character| is_refused(*character));
    found.map_or(Ok(()), |character| {
        Err(InvalidReason::Invisible { column, character })
    })
}

fn not_too_long(column: &'static str, text: &str, most: usize) -> Result<(), InvalidReason> {
    // No text has more characters than bytes.
    if text.len() <= most || text.chars().count() <= most {
        return Ok(());
    }
    Err(InvalidReason::TooLong { column, most })
}
