use serde::{Deserialize, Serialize};

use super::{Bank, BankCode, BankNumber, SequenceError, sequence_digits};
use crate::digits::Filler;
use crate::{Digits, FreeField, OurNumber, check_digit};

/// 237 Bradesco (manual 4008-524-0121).
///
/// Nosso número: eleven digits; its check digit covers the carteira as well,
/// and may be `P`. Campo livre: agência, carteira, number, conta, `0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bradesco {
    /// Agência without its digit.
    pub agencia: Digits<4>,
    /// Conta without its digit.
    pub conta: Digits<7>,
    /// Carteira.
    pub carteira: Digits<2>,
}

impl Bank for Bradesco {
    fn code(&self) -> BankCode {
        BankCode::new(237, '2', "Bradesco")
    }

    fn numbering(&self) -> String {
        format!("237-{}-{}-{}", self.agencia, self.conta, self.carteira)
    }

    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError> {
        let number = sequence_digits::<11>(sequence)?;
        let digit = check_digit::bradesco(self.carteira.bytes(), number.bytes());
        let free_field = Filler::new()
            .put(self.agencia.bytes())
            .put(self.carteira.bytes())
            .put(number.bytes())
            .put(self.conta.bytes())
            .digit(b'0');
        Ok(BankNumber {
            our_number: OurNumber(format!("{}/{number}-{}", self.carteira, char::from(digit))),
            free_field: FreeField::from(free_field),
        })
    }

    fn branch_and_account(&self) -> String {
        format!("{} / {}", self.agencia, self.conta)
    }

    fn carteira(&self) -> String {
        self.carteira.to_string()
    }
}
