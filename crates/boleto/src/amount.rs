use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Digits;

/// Value of a debt in centavos (1/100 of a real): more than zero, at most
/// [`Amount::MAX`].
///
/// ```
/// let amount: boleto::Amount = "1.000.000,00".parse()?;
/// assert_eq!(amount.centavos(), 100_000_000);
/// assert_eq!(amount.to_string(), "1000000.00");
/// # Ok::<(), boleto::AmountError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why a text or a number is no [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Nothing but blanks.
    #[error("the amount is empty")]
    Empty,
    /// Not a number in one of the accepted forms.
    #[error("the amount is not a number such as 7811, 7811.50, 7811,50 or R$ 1.000.000,00")]
    Malformed,
    /// `1.000` may be one real or one thousand.
    #[error("the amount is ambiguous: three digits after its only separator")]
    Ambiguous,
    /// A centavo is the smallest unit.
    #[error("the amount has more than two decimals")]
    TooManyDecimals,
    /// A debt of nothing, or a credit.
    #[error("the amount is zero or less")]
    NotPositive,
    /// The barcode has ten digits for the amount.
    #[error("the amount is above 99999999.99, the most a boleto can carry")]
    AboveLimit,
}

impl Amount {
    /// The most that the ten amount digits of a barcode carry: R$ 99,999,999.99.
    pub const MAX: Self = Self(9_999_999_999);

    /// An amount of that many centavos.
    pub const fn from_centavos(centavos: i64) -> Result<Self, AmountError> {
        if centavos <= 0 {
            Err(AmountError::NotPositive)
        } else if centavos > Self::MAX.0 {
            Err(AmountError::AboveLimit)
        } else {
            Ok(Self(centavos))
        }
    }

    /// The amount in centavos.
    pub const fn centavos(self) -> i64 {
        self.0
    }

    /// As Brazilians write it, without the currency: `1.000.000,00`.
    pub fn brazilian(self) -> impl fmt::Display {
        Brazilian(self)
    }

    /// The ten digits of a barcode.
    pub(crate) fn digits(self) -> Digits<10> {
        Digits::lowest(self.0.unsigned_abs()).0
    }
}

struct Brazilian(Amount);

impl fmt::Display for Brazilian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reais = (self.0.0 / 100).to_string();
        for (index, digit) in reais.chars().enumerate() {
            if index > 0 && (reais.len() - index).is_multiple_of(3) {
                f.write_str(".")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, ",{:02}", self.0.0 % 100)
    }
}

/// Reais and centavos with a dot, always two decimals: `7811.00`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Reads `7811`, `7811.5`, `7811.50`, `7811,50` and `1.000.000,00`, each also
/// after `R$`. Blanks at either end and behind the `R$` are ignored, and so are
/// zeros behind the centavos (`7811,5000`).
impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = text.strip_prefix("R$").map_or(text, str::trim_start);
        if text.is_empty() {
            return Err(AmountError::Empty);
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals, grouped) = split(text)?;
        let centavos = centavos_of(decimals)?;
        let reais = if grouped {
            reais_of_groups(whole)?
        } else {
            reais_of(whole)?
        };
        if negative {
            return Err(AmountError::NotPositive);
        }
        reais
            .checked_mul(100)
            .and_then(|value| value.checked_add(centavos))
            .ok_or(AmountError::AboveLimit)
            .and_then(Self::from_centavos)
    }
}

/// Splits into reais, decimals, and whether the reais are grouped by dots.
fn split(text: &str) -> Result<(&str, Option<&str>, bool), AmountError> {
    if let Some((whole, decimals)) = text.split_once(',') {
        return Ok((whole, Some(decimals), whole.contains('.')));
    }
    match text.split_once('.') {
        None => Ok((text, None, false)),
        Some((_, decimals)) if decimals.contains('.') => Err(AmountError::Malformed),
        Some((whole, decimals)) => Ok((whole, Some(decimals), false)),
    }
}

fn digits(text: &str) -> Result<&str, AmountError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(AmountError::Malformed)
    }
}

fn centavos_of(decimals: Option<&str>) -> Result<i64, AmountError> {
    let Some(decimals) = decimals else {
        return Ok(0);
    };
    let value = |text: &str| text.parse().map_err(|_| AmountError::Malformed);
    match digits(decimals)?.len() {
        1 => value(decimals).map(|tenths: i64| tenths * 10),
        2 => value(decimals),
        3 => Err(AmountError::Ambiguous),
        // No thousands have four digits, so zeros say nothing.
        _ if decimals[2..].bytes().all(|digit| digit == b'0') => value(&decimals[..2]),
        _ => Err(AmountError::TooManyDecimals),
    }
}

/// Digits only, so the one way to fail is to be too large for the type.
fn reais_of(whole: &str) -> Result<i64, AmountError> {
    digits(whole)?.parse().map_err(|_| AmountError::AboveLimit)
}

/// `1.000.000`: one to three digits, then groups of exactly three.
fn reais_of_groups(whole: &str) -> Result<i64, AmountError> {
    let mut groups = whole.split('.');
    let first = groups.next().unwrap_or_default();
    if !(1..=3).contains(&first.len()) || !groups.all(|group| group.len() == 3) {
        return Err(AmountError::Malformed);
    }
    reais_of(&whole.replace('.', ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_each_accepted_form() {
        for (text, centavos) in [
            ("7811", 781_100),
            (" 7811 ", 781_100),
            ("7811.5", 781_150),
            ("7811.50", 781_150),
            ("7811,50", 781_150),
            ("7811,5", 781_150),
            ("1.000.000,00", 100_000_000),
            ("1000000.00", 100_000_000),
            ("0.01", 1),
            ("R$ 1.234,56", 123_456),
            ("R$1234.56", 123_456),
            ("R$\u{a0}7811", 781_100),
            ("\u{a0}7811,50\u{a0}", 781_150),
            ("1234,5600", 123_456),
            ("1.0000", 100),
            ("1.234,500000", 123_450),
            ("0007", 700),
            ("99999999.99", 9_999_999_999),
        ] {
            assert_eq!(text.parse(), Ok(Amount(centavos)), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_precise_reason() {
        for (text, reason) in [
            ("", AmountError::Empty),
            ("  ", AmountError::Empty),
            ("1.000", AmountError::Ambiguous),
            ("1,000", AmountError::Ambiguous),
            ("1.2345", AmountError::TooManyDecimals),
            ("1,00001", AmountError::TooManyDecimals),
            ("R$", AmountError::Empty),
            ("R$ 1.000", AmountError::Ambiguous),
            ("R$ -5,00", AmountError::NotPositive),
            ("-R$ 5,00", AmountError::Malformed),
            ("R$ R$ 5", AmountError::Malformed),
            ("US$ 5", AmountError::Malformed),
            ("0", AmountError::NotPositive),
            ("0.00", AmountError::NotPositive),
            ("-5.00", AmountError::NotPositive),
            ("100000000.00", AmountError::AboveLimit),
            ("100.000.000,00", AmountError::AboveLimit),
            ("99999999999999999999", AmountError::AboveLimit),
            ("92233720368547758", AmountError::AboveLimit),
            ("abc", AmountError::Malformed),
            ("-abc", AmountError::Malformed),
            ("--5", AmountError::Malformed),
            ("+5", AmountError::Malformed),
            ("1e3", AmountError::Malformed),
            (".5", AmountError::Malformed),
            ("5.", AmountError::Malformed),
            ("1.00,00", AmountError::Malformed),
            ("1000.000,00", AmountError::Malformed),
            (".000,00", AmountError::Malformed),
            ("1.000.000", AmountError::Malformed),
            ("1,000.00", AmountError::Malformed),
            ("١٢", AmountError::Malformed),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn brazilians_group_by_dots() {
        for (centavos, text) in [
            (1, "0,01"),
            (99_999, "999,99"),
            (781_100, "7.811,00"),
            (9_999_999_999, "99.999.999,99"),
        ] {
            assert_eq!(Amount(centavos).brazilian().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_it_prints_it_reads_back(centavos in 1..=Amount::MAX.0) {
            let amount = Amount::from_centavos(centavos).unwrap();
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            prop_assert_eq!(amount.brazilian().to_string().parse(), Ok(amount));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Amount>();
        }
    }
}
