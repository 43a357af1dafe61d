//! Money as a counterpart's JSON has it: an exact decimal, never a float.

use boleto::{Amount, AmountError};

/// Reads the text of a JSON number: `4476`, `4476.50`, `4476.5000` and
/// `4.4765e3`, as long as it is worth whole centavos. Unlike the text of a
/// CSV it is never ambiguous: `1.000` is one real.
///
/// # Errors
/// [`AmountError::TooManyDecimals`] where it is worth a fraction of a centavo.
pub(super) fn read(number: &str) -> Result<Amount, AmountError> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (number, 0),
    };
    let (whole, decimals) = match mantissa.split_once('.') {
        Some((whole, decimals)) => (all_digits(whole)?, all_digits(decimals)?),
        None => (all_digits(mantissa)?, ""),
    };

    let digits = || whole.bytes().chain(decimals.bytes());
    let is_zero = |digit: &u8| *digit == b'0';
    let leading = digits().take_while(is_zero).count();
    let count = whole.len() + decimals.len() - leading;
    if negative || count == 0 {
        return Err(AmountError::NotPositive);
    }
    let trailing = digits().rev().take_while(is_zero).count();
    let significant = count - trailing;
    // Zeros to append to the significant digits for a number of centavos.
    let zeros = exponent
        .saturating_add(2)
        .saturating_sub_unsigned(decimals.len() as u64)
        .saturating_add_unsigned(trailing as u64);
    let zeros = usize::try_from(zeros).map_err(|_| AmountError::TooManyDecimals)?;
    if significant.saturating_add(zeros) > MOST_DIGITS {
        return Err(AmountError::AboveLimit);
    }
    let significant = digits().skip(leading).take(significant);
    let all = significant.chain(std::iter::repeat_n(b'0', zeros));
    Amount::from_centavos(all.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// Digits of the largest amount, in centavos.
const MOST_DIGITS: usize = Amount::MAX.centavos().ilog10() as usize + 1;

fn all_digits(text: &str) -> Result<&str, AmountError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(AmountError::Malformed)
    }
}

/// One that no `i64` holds is as good as the least or the greatest that it
/// does.
fn read_exponent(text: &str) -> Result<i64, AmountError> {
    let (limit, digits) = match text.strip_prefix('-') {
        Some(digits) => (i64::MIN, digits),
        None => (i64::MAX, text.strip_prefix('+').unwrap_or(text)),
    };
    all_digits(digits)?;
    Ok(text.parse().unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_of_any_form_is_what_it_is_worth() {
        for (number, centavos) in [
            ("4476", 447_600),
            ("4476.0", 447_600),
            ("4476.5", 447_650),
            ("4476.50", 447_650),
            ("4476.5000", 447_650),
            ("4.476e3", 447_600),
            ("4.4765E+3", 447_650),
            ("447650e-2", 447_650),
            ("4476500000e-0006", 447_650),
            ("1.000", 100),
            ("0.01", 1),
            ("1e-2", 1),
            ("0.00001e3", 1),
            ("0007", 700),
            ("99999999.99", 9_999_999_999),
            ("9999999999000000000000000000000000000e-29", 9_999_999_999),
        ] {
            assert_eq!(read(number).map(Amount::centavos), Ok(centavos), "{number}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_the_precise_reason() {
        for (number, reason) in [
            ("0", AmountError::NotPositive),
            ("-0.0", AmountError::NotPositive),
            ("0e999999999999999999999", AmountError::NotPositive),
            ("-5", AmountError::NotPositive),
            ("0.001", AmountError::TooManyDecimals),
            ("4476.505", AmountError::TooManyDecimals),
            ("0.30000000000000004", AmountError::TooManyDecimals),
            ("1e-3", AmountError::TooManyDecimals),
            ("1e-99999999999999999999", AmountError::TooManyDecimals),
            ("1e-9223372036854775808", AmountError::TooManyDecimals),
            ("100000000", AmountError::AboveLimit),
            ("1e8", AmountError::AboveLimit),
            ("1e99999999999999999999", AmountError::AboveLimit),
            ("1e9223372036854775807", AmountError::AboveLimit),
            ("123456789012345678901234567890", AmountError::AboveLimit),
            ("", AmountError::Malformed),
            ("-", AmountError::Malformed),
            ("--5", AmountError::Malformed),
            ("+5", AmountError::Malformed),
            (".5", AmountError::Malformed),
            ("5.", AmountError::Malformed),
            ("1e", AmountError::Malformed),
            ("1e+-2", AmountError::Malformed),
            ("1e2.0", AmountError::Malformed),
            ("1.2.3", AmountError::Malformed),
            ("1,50", AmountError::Malformed),
            ("NaN", AmountError::Malformed),
            ("0x10", AmountError::Malformed),
            ("٣", AmountError::Malformed),
        ] {
            assert_eq!(read(number), Err(reason), "{number}");
        }
    }

    fn amounts() -> impl Strategy<Value = Amount> {
        (1..=Amount::MAX.centavos()).prop_map(|centavos| Amount::from_centavos(centavos).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in amounts()) {
            prop_assert_eq!(read(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn a_scaled_number_is_the_same(amount in amounts(), places in 0..40_usize) {
            let centavos = amount.centavos();
            let zeros = "0".repeat(places);
            let scaled = [
                format!("{centavos}{zeros}e-{}", places + 2),
                format!("{amount}{zeros}"),
                format!("0.{zeros}{centavos:010}E+{}", places + 8),
            ];
            for number in scaled {
                prop_assert_eq!(read(&number), Ok(amount), "{}", number);
            }
        }

        #[test]
        fn a_fraction_of_a_centavo_is_refused(amount in amounts(), digits in "[0-9]{0,20}[1-9]") {
            let number = format!("{amount}{digits}");
            prop_assert_eq!(read(&number), Err(AmountError::TooManyDecimals));
        }

        #[test]
        fn nothing_panics(text in "[-+.eE0-9]*|\\PC*") {
            let _ = read(&text);
        }
    }
}
