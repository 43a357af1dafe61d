use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{Bank, BankCode, BankNumber, SequenceError, UnfitBank, sequence_digits};
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
    /// The agência's digit, for the slip. Agreements from before it was asked
    /// for do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agencia_digito: Option<BradescoDigit>,
    /// Conta without its digit.
    pub conta: Digits<7>,
    /// The conta's digit, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conta_digito: Option<BradescoDigit>,
    /// Carteira.
    pub carteira: Digits<2>,
}

/// The check digit of an agência or a conta: `0` to `9`, or `P`.
///
/// It cannot be calculated: where modulo 11 gives 10, one branch has `P` and
/// another one `0`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BradescoDigit(u8);

/// A text is no [`BradescoDigit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a check digit at Bradesco is one of 0 to 9, or P")]
pub struct BradescoDigitError;

impl FromStr for BradescoDigit {
    type Err = BradescoDigitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match *text.as_bytes() {
            [digit @ (b'0'..=b'9' | b'P')] => Ok(Self(digit)),
            _ => Err(BradescoDigitError),
        }
    }
}

impl fmt::Display for BradescoDigit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

impl fmt::Debug for BradescoDigit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BradescoDigit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BradescoDigit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Bank for Bradesco {
    fn code(&self) -> BankCode {
        BankCode::new(237, '2', "Bradesco")
    }

    fn fit(&self) -> Result<(), UnfitBank> {
        if self.agencia_digito.is_some() && self.conta_digito.is_some() {
            Ok(())
        } else {
            Err(UnfitBank::NoAccountDigits)
        }
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
        let Self { agencia, conta, .. } = self;
        match (self.agencia_digito, self.conta_digito) {
            (Some(of_agencia), Some(of_conta)) => {
                format!("{agencia}-{of_agencia}/{conta}-{of_conta}")
            }
            // As it was printed when it was issued.
            _ => format!("{agencia} / {conta}"),
        }
    }

    fn carteira(&self) -> String {
        self.carteira.to_string()
    }
}
