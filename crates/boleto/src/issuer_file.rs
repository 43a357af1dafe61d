//! The issuer's file: what it must hold before a boleto is issued under it.
//!
//! An agreement of the ledger is not looked at again: it was good enough when
//! its boletos were issued, and they are printed as long as somebody asks.

use serde::Deserialize;
use thiserror::Error;

use crate::pix::StaticPix;
use crate::terms::{BankAgreement, Beneficiary, PixAgreement};
use crate::text::{is_invisible, to_ascii};
use crate::{DocumentType, UnfitBank};

/// Most lines of instructions, and most characters of one: what the slip has
/// room for.
const INSTRUCTION_LINES: usize = 5;
const INSTRUCTION_CHARACTERS: usize = 90;

/// An agreement as its file, or the ledger, has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerFile {
    pub(crate) registered: bool,
    #[serde(default)]
    pub(crate) instructions: Vec<String>,
    pub(crate) beneficiary: Beneficiary,
    pub(crate) bank: BankAgreement,
    pub(crate) pix: Option<PixAgreement>,
}

/// Why no boletos are issued by an issuer's file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssuerFileError {
    /// It is not TOML of the right form; the text says where.
    #[error("{0}")]
    Malformed(String),
    /// A text of it is empty, or nothing would be left of it in a PIX code,
    /// which banks then refuse, and nothing but `?` on a slip.
    #[error("{field} needs a letter or a digit that a slip and a PIX code can show")]
    Blank {
        /// Its name in the file.
        field: &'static str,
    },
    /// A text of it holds what nobody sees.
    #[error(
        "{field} holds U+{:04X}, a character that does not show; write the text again without it",
        u32::from(*character)
    )]
    Invisible {
        /// Its name in the file.
        field: &'static str,
        /// The character.
        character: char,
    },
    /// Somebody without a valid document cannot be owed a boleto.
    #[error("the beneficiary's document is not a valid CPF or CNPJ")]
    Document,
    /// No abbreviation of a state.
    #[error("the beneficiary's state is two capital letters, such as SP")]
    State,
    /// No CEP.
    #[error("the beneficiary's postal_code is a CEP of 8 digits, such as 13000-000")]
    PostalCode,
    /// More than the slip has room for.
    #[error("the slip has room for 5 instructions of up to 90 characters")]
    Instructions,
    /// The bank's part.
    #[error(transparent)]
    Bank(#[from] UnfitBank),
}

impl IssuerFile {
    /// The file with its texts tidied: blanks of any kind are spaces, one at a
    /// time, and a CEP has its dash.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn checked(mut self) -> Result<Self, IssuerFileError> {
        let beneficiary = &mut self.beneficiary;
        for (field, text) in [
            ("the beneficiary's name", &mut beneficiary.name),
            ("the beneficiary's address", &mut beneficiary.address),
            ("the beneficiary's city", &mut beneficiary.city),
            ("the beneficiary's state", &mut beneficiary.state),
            (
                "the beneficiary's postal_code",
                &mut beneficiary.postal_code,
            ),
        ] {
            *text = tidied(field, text)?;
            if !to_ascii(text)
                .bytes()
                .any(|byte| byte.is_ascii_alphanumeric())
            {
                return Err(IssuerFileError::Blank { field });
            }
        }
        if beneficiary.document.kind() == DocumentType::Unverified {
            return Err(IssuerFileError::Document);
        }
        let state = beneficiary.state.as_bytes();
        if state.len() != 2 || !state.iter().all(u8::is_ascii_uppercase) {
            return Err(IssuerFileError::State);
        }
        beneficiary.postal_code =
            postal_code(&beneficiary.postal_code).ok_or(IssuerFileError::PostalCode)?;
        for line in &mut self.instructions {
            *line = tidied("a line of instructions", line)?;
        }
        let fits = |line: &String| line.chars().count() <= INSTRUCTION_CHARACTERS;
        if self.instructions.len() > INSTRUCTION_LINES || !self.instructions.iter().all(fits) {
            return Err(IssuerFileError::Instructions);
        }
        self.bank.bank().fit()?;
        Ok(self)
    }

    /// Who is paid by PIX, where there is a key. A file that was checked has a
    /// name and a city for it.
    pub(crate) fn pix_receiver(&self) -> Option<StaticPix> {
        let key = self.pix.as_ref()?.key.clone();
        StaticPix::of_issuer(key, &self.beneficiary.name, &self.beneficiary.city)
    }
}

fn tidied(field: &'static str, text: &str) -> Result<String, IssuerFileError> {
    if let Some(character) = text.chars().find(|character| is_invisible(*character)) {
        return Err(IssuerFileError::Invisible { field, character });
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `13000-000`, also of `13000000`.
fn postal_code(text: &str) -> Option<String> {
    let digits = text.replacen('-', "", 1);
    let is_code = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (region, place) = digits.split_at_checked(5).filter(|_| is_code)?;
    let written = format!("{region}-{place}");
    (text == digits || text == written).then_some(written)
}
