use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Exactly `N` decimal digits, leading zeros kept.
///
/// ```
/// let branch: boleto::Digits<4> = "452".parse()?;
/// assert_eq!(branch.as_str(), "0452");
/// # Ok::<(), boleto::DigitsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digits<const N: usize>([u8; N]);

/// A text or a number is no [`Digits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it must be 1 to {most} digits")]
pub struct DigitsError {
    most: usize,
}

impl<const N: usize> Digits<N> {
    const ERROR: DigitsError = DigitsError { most: N };

    /// The number with zeros before it.
    ///
    /// # Errors
    /// When it has more than `N` digits.
    pub const fn of(number: u64) -> Result<Self, DigitsError> {
        let (digits, rest) = Self::lowest(number);
        if rest == 0 {
            Ok(digits)
        } else {
            Err(Self::ERROR)
        }
    }

    /// The lowest `N` digits of a number, and what is left before them.
    pub(crate) const fn lowest(mut number: u64) -> (Self, u64) {
        let mut digits = [b'0'; N];
        let mut place = N;
        while number > 0 && place > 0 {
            place -= 1;
            digits[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        (Self(digits), number)
    }

    /// The ASCII digits.
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Reads 1 to `N` digits and puts zeros before them.
impl<const N: usize> FromStr for Digits<N> {
    type Err = DigitsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.as_bytes();
        if text.is_empty() || text.len() > N || !text.iter().all(u8::is_ascii_digit) {
            return Err(Self::ERROR);
        }
        let mut digits = [b'0'; N];
        digits[N - text.len()..].copy_from_slice(text);
        Ok(Self(digits))
    }
}

impl<const N: usize> fmt::Display for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> Serialize for Digits<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Digits<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Writes parts one after the other into an array of digits.
pub(crate) struct Filler<const N: usize> {
    digits: [u8; N],
    filled: usize,
}

impl<const N: usize> Filler<N> {
    pub(crate) fn new() -> Self {
        Self {
            digits: [b'0'; N],
            filled: 0,
        }
    }

    /// Appends digits. What does not fit is a mistake in the layout, which
    /// the vectors of each bank would show.
    pub(crate) fn put(mut self, part: &[u8]) -> Self {
        self.digits[self.filled..self.filled + part.len()].copy_from_slice(part);
        self.filled += part.len();
        self
    }

    pub(crate) fn digit(self, digit: u8) -> Self {
        self.put(&[digit])
    }

    pub(crate) fn finish(self) -> [u8; N] {
        debug_assert_eq!(self.filled, N, "a layout has a gap");
        self.digits
    }
}

impl<const N: usize> From<Filler<N>> for Digits<N> {
    fn from(filler: Filler<N>) -> Self {
        Self(filler.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_get_leading_zeros() {
        assert_eq!(Digits::<4>::of(7).unwrap().as_str(), "0007");
        assert_eq!(Digits::<4>::of(0).unwrap().as_str(), "0000");
        assert_eq!(Digits::<4>::of(9_999).unwrap().as_str(), "9999");
        assert_eq!("0452".parse::<Digits<5>>().unwrap().as_str(), "00452");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Digits::<4>::of(10_000).is_err());
        for text in ["", "12345", "-1", "1a", "١"] {
            assert!(text.parse::<Digits<4>>().is_err(), "{text}");
        }
    }
}
