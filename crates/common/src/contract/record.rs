use boleto::{Amount, DueDate};
use email_address::{EmailAddress, Options};

use super::InvalidReason;

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

/// One valid debt of the input file, its fields trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebtRecord {
    /// Name of the debtor; never empty.
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
    /// Validates the six fields, in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// The first field that cannot be billed decides the reason.
    pub fn from_fields(fields: [&str; 6]) -> Result<Self, InvalidReason> {
        let [name, government_id, email, amount, due_date, debt_id] = fields.map(str::trim);
        // Left by an editor at the start of a file that was pasted into another one.
        let name = name.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        if debt_id.is_empty() {
            return Err(InvalidReason::DebtIdEmpty);
        }
        if name.is_empty() {
            return Err(InvalidReason::NameEmpty);
        }
        let government_id = normalized_document(government_id);
        if government_id.is_empty() {
            return Err(InvalidReason::GovernmentIdEmpty);
        }
        if !is_email(email) {
            return Err(InvalidReason::EmailInvalid);
        }
        Ok(Self {
            name: name.to_owned(),
            government_id,
            email: email.to_owned(),
            amount: amount.parse()?,
            due_date: due_date.parse()?,
            debt_id: debt_id.to_owned(),
        })
    }
}

/// `123.456.789-09` → `12345678909`; CNPJs have held letters since July 2026.
fn normalized_document(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

fn is_email(text: &str) -> bool {
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    EmailAddress::parse_with_options(text, options).is_ok()
}
