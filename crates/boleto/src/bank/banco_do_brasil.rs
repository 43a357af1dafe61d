use serde::{Deserialize, Serialize};

use super::{Bank, BankCode, BankNumber, SequenceError, UnfitBank, sequence_digits};
use crate::digits::Filler;
use crate::{Digits, FreeField, OurNumber, check_digit};

/// 001 Banco do Brasil with a convênio of seven digits (Doc5175).
///
/// Nosso número: convênio and ten digits, without a check digit. Campo livre:
/// `000000`, nosso número, carteira.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BancoDoBrasil {
    /// Agência without its digit.
    pub agencia: Digits<4>,
    /// Conta without its digit.
    pub conta: Digits<8>,
    /// Convênio; a shorter one, which begins with `0` here, has another layout.
    pub convenio: Digits<7>,
    /// Carteira.
    pub carteira: Digits<2>,
}

impl Bank for BancoDoBrasil {
    fn code(&self) -> BankCode {
        BankCode::new(1, '9', "Banco do Brasil")
    }

    fn fit(&self) -> Result<(), UnfitBank> {
        if self.convenio.as_str().starts_with('0') {
            Err(UnfitBank::ShortConvenio)
        } else {
            Ok(())
        }
    }

    fn numbering(&self) -> String {
        self.convenio.to_string()
    }

    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError> {
        let sequence = sequence_digits::<10>(sequence)?;
        let free_field = Filler::new()
            .put(b"000000")
            .put(self.convenio.bytes())
            .put(sequence.bytes())
            .put(self.carteira.bytes());
        Ok(BankNumber {
            our_number: OurNumber(format!("{}{sequence}", self.convenio)),
            free_field: FreeField::from(free_field),
        })
    }

    fn branch_and_account(&self) -> String {
        let digit = |digits: &[u8]| char::from(check_digit::banco_do_brasil(digits));
        let (agencia, conta) = (digit(self.agencia.bytes()), digit(self.conta.bytes()));
        let account = self.conta.as_str().trim_start_matches('0');
        format!("{}-{agencia}/{account}-{conta}", self.agencia)
    }

    fn carteira(&self) -> String {
        self.carteira.to_string()
    }
}
