use serde::{Deserialize, Serialize};

use super::{Bank, BankCode, BankNumber, SequenceError, sequence_digits};
use crate::digits::Filler;
use crate::{Digits, FreeField, OurNumber, check_digit};

/// 033 Santander (manual v35).
///
/// Nosso número: twelve digits and a check digit. Campo livre: `9`, código do
/// beneficiário, number, digit, `0`, carteira.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Santander {
    /// Agência, for the slip.
    pub agencia: Digits<4>,
    /// Código do beneficiário.
    pub beneficiario: Digits<7>,
    /// Carteira.
    pub carteira: Digits<3>,
}

impl Bank for Santander {
    fn code(&self) -> BankCode {
        BankCode::new(33, '7', "Santander")
    }

    fn numbering(&self) -> String {
        format!("033-{}", self.beneficiario)
    }

    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError> {
        let number = sequence_digits::<12>(sequence)?;
        let digit = check_digit::modulo_11(number.bytes());
        let free_field = Filler::new()
            .digit(b'9')
            .put(self.beneficiario.bytes())
            .put(number.bytes())
            .digit(digit)
            .digit(b'0')
            .put(self.carteira.bytes());
        Ok(BankNumber {
            our_number: OurNumber(format!("{number}-{}", char::from(digit))),
            free_field: FreeField::from(free_field),
        })
    }

    fn branch_and_account(&self) -> String {
        format!("{}/{}", self.agencia, self.beneficiario)
    }

    fn carteira(&self) -> String {
        self.carteira.to_string()
    }
}
