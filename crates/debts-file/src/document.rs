//! Government ids: CPF, CNPJ, and the short numbers that real files hold as well.

use std::fmt::{self, Display, Formatter};

use crate::random::Random;

/// Weights of the first check digit of a CPF, from the left.
const CPF_WEIGHTS: [u8; 9] = [10, 9, 8, 7, 6, 5, 4, 3, 2];

/// Weights of the first check digit of a CNPJ, from the left.
const CNPJ_WEIGHTS: [u8; 12] = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

/// A government id, without punctuation and with its leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Cpf([u8; 11]),
    Cnpj([u8; 14]),
    /// Neither: three to six digits.
    Unverified(u64),
}

impl Document {
    pub(super) fn cpf(random: &mut Random) -> Self {
        let mut digits = [0; 11];
        for digit in &mut digits[..9] {
            *digit = random_digit(random);
        }
        // Eleven equal digits pass the check but are not a CPF; the ninth breaks the row of them.
        if digits[..9].iter().all(|digit| *digit == digits[0]) {
            digits[8] = (digits[8] + 1) % 10;
        }
        digits[9] = check_digit(&digits[..9], CPF_WEIGHTS);
        digits[10] = check_digit(&digits[..10], [11].into_iter().chain(CPF_WEIGHTS));
        Self::Cpf(digits)
    }

    pub(super) fn cnpj(random: &mut Random) -> Self {
        let mut digits = [0; 14];
        for digit in &mut digits[..8] {
            *digit = random_digit(random);
        }
        // The branch: 0001 is the head office.
        digits[11] = 1;
        digits[12] = check_digit(&digits[..12], CNPJ_WEIGHTS);
        digits[13] = check_digit(&digits[..13], [6].into_iter().chain(CNPJ_WEIGHTS));
        Self::Cnpj(digits)
    }

    pub(super) fn unverified(random: &mut Random) -> Self {
        Self::Unverified(random.between(100, 999_999))
    }
}

impl Display for Document {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let digits: &[u8] = match self {
            Self::Cpf(digits) => digits,
            Self::Cnpj(digits) => digits,
            Self::Unverified(number) => return write!(formatter, "{number}"),
        };
        digits
            .iter()
            .try_for_each(|digit| write!(formatter, "{digit}"))
    }
}

fn random_digit(random: &mut Random) -> u8 {
    random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
}

/// 11 − the weighted sum modulo 11, or 0 if that has two digits.
fn check_digit(digits: &[u8], weights: impl IntoIterator<Item = u8>) -> u8 {
    let sum: u16 = digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| u16::from(digit * weight))
        .sum();
    match sum % 11 {
        0 | 1 => 0,
        rest => u8::try_from(11 - rest).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well-known examples with their check digits.
    #[test]
    fn check_digits_are_those_of_known_documents() {
        let first = check_digit(&[1, 1, 1, 4, 4, 4, 7, 7, 7], CPF_WEIGHTS);
        let second = check_digit(
            &[1, 1, 1, 4, 4, 4, 7, 7, 7, 3],
            [11].into_iter().chain(CPF_WEIGHTS),
        );
        assert_eq!((first, second), (3, 5));

        let first = check_digit(&[1, 1, 2, 2, 2, 3, 3, 3, 0, 0, 0, 1], CNPJ_WEIGHTS);
        let second = check_digit(
            &[1, 1, 2, 2, 2, 3, 3, 3, 0, 0, 0, 1, 8],
            [6].into_iter().chain(CNPJ_WEIGHTS),
        );
        assert_eq!((first, second), (8, 1));
    }

    #[test]
    fn documents_keep_their_leading_zeros() {
        let document = Document::Cpf([0, 0, 1, 4, 4, 4, 7, 7, 7, 3, 5]);

        assert_eq!(document.to_string(), "00144477735");
    }

    #[test]
    fn documents_have_their_lengths() {
        let mut random = Random::new(3);
        for _ in 0..1_000 {
            assert_eq!(Document::cpf(&mut random).to_string().len(), 11);
            assert_eq!(Document::cnpj(&mut random).to_string().len(), 14);
            let unverified = Document::unverified(&mut random).to_string();
            assert!((3..=6).contains(&unverified.len()), "{unverified}");
        }
    }
}
