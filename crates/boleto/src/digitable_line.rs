use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::digits::Filler;
use crate::{Barcode, BarcodeError, check_digit};

/// Linha digitável: the 47 digits that people type instead of scanning the
/// barcode. It says the same as the barcode, and each of its first three
/// fields has a check digit of its own.
///
/// It displays as slips print it; [`DigitableLine::as_str`] has the digits
/// alone.
///
/// ```
/// let line: boleto::DigitableLine =
///     "00190.00009 03128.557000 00000.001172 2 14940000010050".parse()?;
/// assert_eq!(line.barcode().centavos(), 10_050);
/// # Ok::<(), boleto::DigitableLineError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DigitableLine([u8; 47]);

/// Why a text is no [`DigitableLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigitableLineError {
    /// A boleto's line has 47 digits.
    #[error("a linha digitável has 47 digits, this text has {found}")]
    Length {
        /// Digits of the text.
        found: usize,
    },
    /// A bill of arrecadação (utilities, taxes) has 48 digits and starts with
    /// 8; it is no boleto.
    #[error(
        "this is the line of a bill of arrecadação (48 digits that start with 8), not of a boleto"
    )]
    Arrecadacao,
    /// Something else stands where a digit should.
    #[error("character {position} is neither a digit nor a dot or a blank between fields")]
    NotADigit {
        /// Its place, from 1.
        position: usize,
    },
    /// The check digit of a field does not fit its other digits.
    #[error("the check digit of field {field} is {found} instead of {expected}")]
    FieldCheckDigit {
        /// The field, 1 to 3.
        field: usize,
        /// What it should be.
        expected: char,
        /// What it is.
        found: char,
    },
    /// The barcode that the line stands for is wrong.
    #[error("{0}")]
    Barcode(#[from] BarcodeError),
}

impl DigitableLine {
    fn of(barcode: &Barcode) -> Self {
        let bar = barcode.bytes();
        let field = |parts: &[&[u8]]| check_digit::modulo_10_of_parts(parts);
        let (start, first, second, third) = (&bar[..4], &bar[19..24], &bar[24..34], &bar[34..44]);
        let digits = Filler::new()
            .put(start)
            .put(first)
            .digit(field(&[start, first]))
            .put(second)
            .digit(field(&[second]))
            .put(third)
            .digit(field(&[third]))
            .put(&bar[4..19])
            .finish();
        Self(digits)
    }

    /// The barcode that says the same.
    pub fn barcode(&self) -> Barcode {
        // Whoever makes a line has checked it.
        Barcode::of_digits(self.bar_digits()).unwrap_or_else(|_| unreachable!("a line is checked"))
    }

    /// The 47 digits alone.
    pub fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The digits of the barcode, in its order.
    fn bar_digits(&self) -> [u8; 44] {
        let line = &self.0;
        Filler::new()
            .put(&line[..4])
            .put(&line[32..47])
            .put(&line[4..9])
            .put(&line[10..20])
            .put(&line[21..31])
            .finish()
    }
}

impl Barcode {
    /// The same as people type it.
    pub fn digitable_line(&self) -> DigitableLine {
        DigitableLine::of(self)
    }
}

/// Reads 47 digits, with or without the dots and blanks between them.
impl FromStr for DigitableLine {
    type Err = DigitableLineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digits = [b'0'; 47];
        let mut found = 0;
        for (index, character) in text.chars().enumerate() {
            match character {
                '0'..='9' => {
                    if let Some(slot) = digits.get_mut(found) {
                        *slot = character as u8;
                    }
                    found += 1;
                }
                '.' | '-' => {}
                _ if character.is_whitespace() => {}
                _ => {
                    return Err(DigitableLineError::NotADigit {
                        position: index + 1,
                    });
                }
            }
        }
        if found == 48 && digits[0] == b'8' {
            return Err(DigitableLineError::Arrecadacao);
        }
        if found != digits.len() {
            return Err(DigitableLineError::Length { found });
        }
        let line = Self(digits);
        for (index, range) in [0..9, 10..20, 21..31].into_iter().enumerate() {
            let found = digits[range.end];
            let expected = check_digit::modulo_10(&digits[range]);
            if found != expected {
                return Err(DigitableLineError::FieldCheckDigit {
                    field: index + 1,
                    expected: char::from(expected),
                    found: char::from(found),
                });
            }
        }
        Barcode::of_digits(line.bar_digits())?;
        Ok(line)
    }
}

/// `AAAAA.AAAAA BBBBB.BBBBBB CCCCC.CCCCCC D EEEEEEEEEEEEEE`.
impl fmt::Display for DigitableLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.as_str();
        write!(
            f,
            "{}.{} {}.{} {}.{} {} {}",
            &line[..5],
            &line[5..10],
            &line[10..15],
            &line[15..21],
            &line[21..26],
            &line[26..32],
            &line[32..33],
            &line[33..],
        )
    }
}

impl fmt::Debug for DigitableLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
