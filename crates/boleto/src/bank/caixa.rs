use serde::{Deserialize, Serialize};

use super::{Bank, BankCode, BankNumber, SequenceError, sequence_digits};
use crate::digits::Filler;
use crate::{Amount, Digits, FreeField, OurNumber, check_digit};

/// 104 Caixa Econômica Federal, SIGCB (manual 67.119).
///
/// Nosso número: modalidade, 15 digits and a check digit. Campo livre:
/// beneficiário and its digit, the 15 digits and the modalidade interleaved,
/// and a check digit over all of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caixa {
    /// Agência, for the slip.
    pub agencia: Digits<4>,
    /// Código do beneficiário without its digit.
    pub beneficiario: Digits<6>,
    /// Who registers the boleto.
    pub modalidade: CaixaModalidade,
}

/// The first two digits of Caixa's nosso número; the second, 4, says that the
/// beneficiary issues the slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaixaModalidade {
    /// Registered.
    #[serde(rename = "14")]
    Registered,
    /// Not registered.
    #[serde(rename = "24")]
    Unregistered,
}

impl CaixaModalidade {
    fn digits(self) -> &'static str {
        match self {
            Self::Registered => "14",
            Self::Unregistered => "24",
        }
    }
}

impl Bank for Caixa {
    fn code(&self) -> BankCode {
        BankCode::new(104, '0', "Caixa Econômica Federal")
    }

    fn numbering(&self) -> String {
        format!("104-{}-{}", self.beneficiario, self.modalidade.digits())
    }

    /// R$ 9,999,999.99.
    fn most(&self) -> Amount {
        const MOST: Amount = match Amount::from_centavos(999_999_999) {
            Ok(amount) => amount,
            Err(_) => Amount::MAX,
        };
        MOST
    }

    fn number(&self, sequence: u64) -> Result<BankNumber, SequenceError> {
        let number = sequence_digits::<15>(sequence)?;
        let modalidade = self.modalidade.digits();
        let whole: [u8; 17] = Filler::new()
            .put(modalidade.as_bytes())
            .put(number.bytes())
            .finish();
        let digit = check_digit::modulo_11(&whole);
        let beneficiary = self.beneficiario.bytes();
        let before: [u8; 24] = Filler::new()
            .put(beneficiary)
            .digit(check_digit::modulo_11(beneficiary))
            .put(&whole[2..5])
            .digit(whole[0])
            .put(&whole[5..8])
            .digit(whole[1])
            .put(&whole[8..17])
            .finish();
        let free_field = Filler::new()
            .put(&before)
            .digit(check_digit::modulo_11(&before));
        Ok(BankNumber {
            our_number: OurNumber(format!("{modalidade}{number}-{}", char::from(digit))),
            free_field: FreeField::from(free_field),
        })
    }

    fn branch_and_account(&self) -> String {
        let beneficiary = &self.beneficiario;
        let digit = char::from(check_digit::modulo_11(beneficiary.bytes()));
        format!("{} / {beneficiary}-{digit}", self.agencia)
    }

    /// RG, registered, or SR, not.
    fn carteira(&self) -> String {
        match self.modalidade {
            CaixaModalidade::Registered => "RG".to_owned(),
            CaixaModalidade::Unregistered => "SR".to_owned(),
        }
    }
}
