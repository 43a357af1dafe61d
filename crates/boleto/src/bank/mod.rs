//! The banks behind one trait: how each numbers its boletos, and what it
//! keeps in the campo livre.

mod banco_do_brasil;
mod bradesco;
mod caixa;
mod itau;
mod santander;

use std::fmt::Debug;

use thiserror::Error;

pub use banco_do_brasil::BancoDoBrasil;
pub use bradesco::{Bradesco, BradescoDigit, BradescoDigitError};
pub use caixa::{Caixa, CaixaBeneficiary, CaixaBeneficiaryError, CaixaModalidade};
pub use itau::{Itau, ItauCarteira};
pub use santander::Santander;

use crate::{Amount, Digits, OurNumber};

/// Campo livre: the 25 digits of a barcode that are the bank's own.
pub type FreeField = Digits<25>;

/// A bank as a barcode and a slip name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankCode {
    number: Digits<3>,
    /// The digit that a slip prints behind the number: `9` in `001-9`.
    pub check_digit: char,
    /// Its name on a slip.
    pub name: &'static str,
}

impl BankCode {
    const fn new(number: u64, check_digit: char, name: &'static str) -> Self {
        let (number, _) = Digits::lowest(number);
        Self {
            number,
            check_digit,
            name,
        }
    }

    /// Its three digits.
    pub const fn number(&self) -> &Digits<3> {
        &self.number
    }
}

/// What a bank makes of a sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankNumber {
    /// Nosso número.
    pub our_number: OurNumber,
    /// Campo livre.
    pub free_field: FreeField,
}

/// The sequence number does not fit the bank's nosso número.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the sequence number {sequence} is above {most}: the numbers of this agreement are used up"
)]
pub struct SequenceError {
    /// The number.
    pub sequence: u64,
    /// The highest that fits.
    pub most: u64,
}

/// The amount is more than the issuer's bank takes in one boleto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the amount is above {most}, the most that the issuer's bank takes in a boleto")]
pub struct AboveBankLimit {
    /// The most.
    pub most: Amount,
}

/// Why no boletos are issued under an agreement with a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitBank {
    /// Banco do Brasil numbers boletos of a short convênio in another way.
    #[error(
        "the convenio must have 7 digits: Banco do Brasil lays out boletos of shorter ones in another way"
    )]
    ShortConvenio,
    /// Itaú's layout with a number of 15 digits.
    #[error(
        "carteira {carteira} of Itaú is not supported: its boletos have another layout, with a number of 15 digits; take one such as 109"
    )]
    OtherLayout {
        /// The carteira.
        carteira: Digits<3>,
    },
    /// Itaú would not know a number of ours.
    #[error(
        "carteira {carteira} of Itaú is not supported: the bank itself numbers its boletos (escritural), so it would not know the numbers of this suite; take one that the company numbers, such as 109, 115 or 138"
    )]
    NumberedByBank {
        /// The carteira.
        carteira: Digits<3>,
    },
    /// Bradesco's slip shows two check digits that only the issuer knows.
    #[error(
        "Bradesco asks for the check digits of agência and conta on the slip: add agencia_digito and conta_digito, each 0 to 9 or P as your branch has it"
    )]
    NoAccountDigits,
}

/// An issuer's agreement with one bank. A further bank is one more file that
/// implements this.
pub trait Bank: Debug {
    /// The bank.
    fn code(&self) -> BankCode;

    /// Whether boletos may be issued under it. One that is not fit may have been
    /// in use before its bank's rules were known better, and is still printed.
    ///
    /// # Errors
    /// What has to change.
    fn fit(&self) -> Result<(), UnfitBank> {
        Ok(())
    }

    /// What the sequence numbers of its boletos are unique within; two
    /// agreements of one name share their numbers.
    fn numbering(&self) -> String;

    /// The highest amount that it takes.
    fn most(&self) -> Amount {
        Amount::MAX
    }

    /// Nosso número and campo livre of a sequence number.
    ///
    /// # Errors
    /// When the number has too many digits.
    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError>;

    /// Agência and código do beneficiário, as the slip prints them.
    fn branch_and_account(&self) -> String;

    /// Carteira, as the slip prints it.
    fn carteira(&self) -> String;
}

/// A sequence number as `N` digits.
fn sequence_digits<const N: usize>(sequence: u64) -> Result<Digits<N>, SequenceError> {
    Digits::of(sequence).map_err(|_| SequenceError {
        sequence,
        most: (0..N).fold(0, |most, _| most * 10 + 9),
    })
}
