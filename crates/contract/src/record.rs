use boleto::{Amount, DueDate};
use email_address::{EmailAddress, Options};

use super::InvalidReason;
use super::field::{alike, is_invisible, is_machine_number, is_placeholder, unwrapped, visible};

/// Columns of the input file, in the order of a message's fields. Header
/// names are compared without regard to case, so `debtID` is `debtId`.
pub const COLUMNS: [&str; 6] = [
    "name",
    "governmentId",
    "email",
    "debtAmount",
    "debtDueDate",
    "debtId",
];

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
}

impl DebtRecord {
    /// Validates the six fields, in the order of [`COLUMNS`]. Each is read
    /// without the blanks, the invisible characters and the wrapper
    /// (`="000123"`, `'000123`) that spreadsheets and exports leave around it.
    ///
    /// # Errors
    /// The first field that cannot be billed decides the reason.
    pub fn from_fields(fields: [&str; 6]) -> Result<Self, InvalidReason> {
        let [name, document, email, amount, due_date, debt_id] = fields.map(unwrapped);
        check_debt_id(debt_id)?;
        let name = name_of(name)?;
        let government_id = document_of(document)?;
        check_email(email)?;
        Ok(Self {
            name,
            government_id,
            email: email.to_owned(),
            amount: amount.parse()?,
            due_date: due_date.parse()?,
            debt_id: debt_id.to_owned(),
        })
    }
}

/// An id that looks like another one, and is not, would be a second bill.
fn check_debt_id(text: &str) -> Result<(), InvalidReason> {
    const COLUMN: &str = COLUMNS[5];
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
    const COLUMN: &str = COLUMNS[0];
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
    const COLUMN: &str = COLUMNS[1];
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
    {
        return Err(InvalidReason::GovernmentIdMalformed);
    }
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    let document: String = kept.map(|c| c.to_ascii_uppercase()).collect();
    not_too_long(COLUMN, &document, MAX_DOCUMENT)?;
    Ok(document)
}

fn check_email(text: &str) -> Result<(), InvalidReason> {
    no_character(COLUMNS[2], text, is_invisible)?;
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    // The mailbox 'a of 'a@example.com is nobody's.
    let is_quoted = text.starts_with('\'') || text.ends_with('\'');
    if is_quoted || EmailAddress::parse_with_options(text, options).is_err() {
        return Err(InvalidReason::EmailInvalid);
    }
    Ok(())
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
