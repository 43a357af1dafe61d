use thiserror::Error;

use crate::{AboveBankLimit, Agreement, Amount, Barcode, DueDate, OurNumber, SequenceError};

/// A boleto: what a debt becomes when it is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boleto {
    /// Nosso número.
    pub our_number: OurNumber,
    /// The barcode; the linha digitável says the same.
    pub barcode: Barcode,
    /// The PIX BR Code, where the issuer has a key.
    pub pix: Option<String>,
}

/// Why a debt has no boleto.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IssueError {
    /// The issuer's bank takes less.
    #[error(transparent)]
    Amount(#[from] AboveBankLimit),
    /// The agreement's numbers are used up.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
}

impl Boleto {
    /// The boleto of an agreement with that sequence number, which must not
    /// repeat within [`Bank::numbering`](crate::Bank::numbering).
    ///
    /// # Errors
    /// When the bank does not take the amount, or the number does not fit.
    pub fn issue(
        agreement: &Agreement,
        sequence: u64,
        amount: Amount,
        due: DueDate,
    ) -> Result<Self, IssueError> {
        agreement.takes(amount)?;
        let bank = agreement.bank();
        let number = bank.number(sequence)?;
        let barcode = Barcode::compose(bank.code(), due.into(), amount, &number.free_field);
        let pix = agreement.pix_code(amount, &number.our_number);
        Ok(Self {
            our_number: number.our_number,
            barcode,
            pix,
        })
    }
}
