use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{Bank, BankCode, BankNumber, SequenceError, sequence_digits};
use crate::digits::Filler;
use crate::{Amount, Digits, FreeField, OurNumber, check_digit};

/// 104 Caixa Econômica Federal, SIGCB (manual 67.119).
///
/// Nosso número: modalidade, 15 digits and a check digit. Campo livre:
/// beneficiário in 7 digits, the 15 digits and the modalidade interleaved,
/// and a check digit over all of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caixa {
    /// Agência, for the slip.
    pub agencia: Digits<4>,
    /// Código do beneficiário.
    pub beneficiario: CaixaBeneficiary,
    /// Who registers the boleto.
    pub modalidade: CaixaModalidade,
}

/// Código do beneficiário. Since 2018 or so Caixa has given out codes of seven
/// digits, from 1100000 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaixaBeneficiary {
    /// Up to six digits; a check digit follows them.
    Six(Digits<6>),
    /// Seven digits, which have no check digit.
    Seven(Digits<7>),
}

/// The first code of seven digits.
const FIRST_OF_SEVEN: &str = "1100000";

/// A text is no [`CaixaBeneficiary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a código do beneficiário at Caixa has up to 6 digits, written without the check digit, or 7 digits from 1100000 on"
)]
pub struct CaixaBeneficiaryError;

impl CaixaBeneficiary {
    /// The seven digits of the campo livre.
    fn in_barcode(self) -> [u8; 7] {
        match self {
            Self::Six(code) => Filler::new()
                .put(code.bytes())
                .digit(check_digit::modulo_11(code.bytes()))
                .finish(),
            Self::Seven(code) => *code.bytes(),
        }
    }
}

impl FromStr for CaixaBeneficiary {
    type Err = CaixaBeneficiaryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = if text.len() == FIRST_OF_SEVEN.len() {
            // Below is a code of six digits with a zero before it or with its
            // check digit behind it: which of them cannot be told.
            text.parse()
                .ok()
                .filter(|_| text >= FIRST_OF_SEVEN)
                .map(Self::Seven)
        } else {
            text.parse().ok().map(Self::Six)
        };
        code.ok_or(CaixaBeneficiaryError)
    }
}

/// The six or seven digits, without the check digit.
impl fmt::Display for CaixaBeneficiary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Six(code) => code.fmt(f),
            Self::Seven(code) => code.fmt(f),
        }
    }
}

impl Serialize for CaixaBeneficiary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CaixaBeneficiary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
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
        let before: [u8; 24] = Filler::new()
            .put(&self.beneficiario.in_barcode())
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
        let Self {
            agencia,
            beneficiario,
            ..
        } = self;
        match beneficiario {
            CaixaBeneficiary::Six(code) => {
                let digit = char::from(check_digit::modulo_11(code.bytes()));
                format!("{agencia}/{code}-{digit}")
            }
            CaixaBeneficiary::Seven(code) => format!("{agencia}/{code}"),
        }
    }

    /// RG, registered, or SR, not.
    fn carteira(&self) -> String {
        match self.modalidade {
            CaixaModalidade::Registered => "RG".to_owned(),
            CaixaModalidade::Unregistered => "SR".to_owned(),
        }
    }
}
