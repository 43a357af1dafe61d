use std::fmt;

use thiserror::Error;

/// A beneficiary's agreement with Banco do Brasil: seven digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convenio(u32);

impl Convenio {
    /// The convênio of the demonstration; its boletos are not registered.
    pub const DEMONSTRATION: Self = Self(3_128_557);
}

/// Seven digits, leading zeros kept.
impl fmt::Display for Convenio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:07}", self.0)
    }
}

/// Nosso número of a boleto of Banco do Brasil: the convênio and a sequence
/// number, 17 digits without a check digit (Banco do Brasil, Doc5175).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OurNumber {
    convenio: Convenio,
    sequence: u64,
}

/// The sequence number does not fit the nosso número.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sequence number {0} does not fit ten digits; the convênio's numbers are used up")]
pub struct SequenceError(u64);

impl OurNumber {
    /// Largest sequence number: ten digits.
    pub const MAX_SEQUENCE: u64 = 9_999_999_999;

    /// The nosso número of that sequence number, from 1.
    pub const fn new(convenio: Convenio, sequence: u64) -> Result<Self, SequenceError> {
        if sequence >= 1 && sequence <= Self::MAX_SEQUENCE {
            Ok(Self { convenio, sequence })
        } else {
            Err(SequenceError(sequence))
        }
    }
}

/// Seventeen digits.
impl fmt::Display for OurNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:010}", self.convenio, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_seventeen_digits_for_every_sequence_number() {
        let number = |sequence| OurNumber::new(Convenio::DEMONSTRATION, sequence);
        assert_eq!(number(1).unwrap().to_string(), "31285570000000001");
        assert_eq!(
            number(9_999_999_999).unwrap().to_string(),
            "31285579999999999"
        );
        assert!(number(0).is_err());
        assert!(number(10_000_000_000).is_err());
    }
}
