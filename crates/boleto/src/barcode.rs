use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::digits::Filler;
use crate::{Amount, BankCode, DueDateFactor, FreeField, check_digit};

/// The barcode of a boleto: 44 digits whose general check digit is right.
///
/// | digits | content |
/// | --- | --- |
/// | 1–3 | bank |
/// | 4 | currency, 9 for the real |
/// | 5 | general check digit |
/// | 6–9 | due-date factor |
/// | 10–19 | amount in centavos |
/// | 20–44 | campo livre |
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Barcode([u8; 44]);

/// Why a text is no [`Barcode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BarcodeError {
    /// A boleto's barcode has 44 digits.
    #[error("a barcode has 44 digits, this text has {found} characters")]
    Length {
        /// Characters of the text.
        found: usize,
    },
    /// Something else stands where a digit should.
    #[error("character {position} is no digit")]
    NotADigit {
        /// Its place, from 1.
        position: usize,
    },
    /// The fourth digit is not 9.
    #[error("the currency (digit 4) is {found} instead of 9, the real")]
    Currency {
        /// The digit.
        found: char,
    },
    /// The general check digit does not fit the others.
    #[error("the general check digit (digit 5) is {found} instead of {expected}")]
    CheckDigit {
        /// What it should be.
        expected: char,
        /// What it is.
        found: char,
    },
}

impl Barcode {
    /// The barcode of a bank's free field, with its check digit.
    pub fn compose(
        bank: BankCode,
        factor: DueDateFactor,
        amount: Amount,
        free_field: &FreeField,
    ) -> Self {
        let mut digits = Filler::<44>::new()
            .put(bank.number().bytes())
            .put(b"90")
            .put(factor.digits().bytes())
            .put(amount.digits().bytes())
            .put(free_field.bytes())
            .finish();
        digits[4] = check_digit::general(&digits[..4], &digits[5..]);
        Self(digits)
    }

    /// The 44 digits.
    pub fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) const fn bytes(&self) -> &[u8; 44] {
        &self.0
    }

    /// Number of the bank: three digits.
    pub fn bank(&self) -> &str {
        &self.as_str()[..3]
    }

    /// The factor of its due date.
    pub fn factor(&self) -> DueDateFactor {
        let digit = |index: usize| u16::from(self.0[index] - b'0');
        DueDateFactor::of_digits([digit(5), digit(6), digit(7), digit(8)])
    }

    /// The amount in centavos; 0 where the boleto leaves it open.
    pub fn centavos(&self) -> u64 {
        self.as_str()[9..19].parse().unwrap_or_default()
    }

    /// The bank's own 25 digits.
    pub fn free_field(&self) -> &str {
        &self.as_str()[19..]
    }

    /// Takes 44 digits whose check digit is right.
    pub(crate) fn of_digits(digits: [u8; 44]) -> Result<Self, BarcodeError> {
        if digits[3] != b'9' {
            return Err(BarcodeError::Currency {
                found: char::from(digits[3]),
            });
        }
        let expected = check_digit::general(&digits[..4], &digits[5..]);
        if digits[4] == expected {
            Ok(Self(digits))
        } else {
            Err(BarcodeError::CheckDigit {
                expected: char::from(expected),
                found: char::from(digits[4]),
            })
        }
    }
}

/// Reads 44 digits.
impl FromStr for Barcode {
    type Err = BarcodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(index) = text.chars().position(|c| !c.is_ascii_digit()) {
            return Err(BarcodeError::NotADigit {
                position: index + 1,
            });
        }
        let digits = text.as_bytes().try_into();
        let digits = digits.map_err(|_| BarcodeError::Length { found: text.len() })?;
        Self::of_digits(digits)
    }
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
