//! Check digits. All of them take ASCII digits, weigh them from the right,
//! and give an ASCII digit.

/// Modulo 10 of FEBRABAN: weights 2, 1, 2, 1, … from the right, the digits of
/// each product added, `(10 − s mod 10) mod 10`.
pub fn modulo_10(digits: &[u8]) -> u8 {
    modulo_10_of(digits.iter().rev())
}

/// [`modulo_10`] of several parts as if they stood one after the other.
pub(crate) fn modulo_10_of_parts(parts: &[&[u8]]) -> u8 {
    modulo_10_of(parts.iter().rev().flat_map(|part| part.iter().rev()))
}

fn modulo_10_of<'a>(from_the_right: impl Iterator<Item = &'a u8>) -> u8 {
    let mut sum = 0_u32;
    let mut double = true;
    for digit in from_the_right {
        let digit = u32::from(digit - b'0');
        sum += match (double, digit) {
            (false, _) => digit,
            (true, 0..=4) => 2 * digit,
            (true, _) => 2 * digit - 9,
        };
        double = !double;
    }
    ascii((10 - sum % 10) % 10)
}

/// Sum for a modulo 11: weights from 2 up to `top` and again from the right.
fn weighed<'a>(from_the_right: impl Iterator<Item = &'a u8>, top: u32) -> u32 {
    let mut weight = 2;
    let mut sum = 0;
    for digit in from_the_right {
        sum += weight * u32::from(digit - b'0');
        weight = if weight == top { 2 } else { weight + 1 };
    }
    sum
}

/// General check digit of a barcode, over its 43 other digits: weights 2 to 9,
/// `11 − (s mod 11)`; 0, 1, 10 and 11 become 1.
pub fn general(before: &[u8], after: &[u8]) -> u8 {
    let digits = before.iter().chain(after).rev();
    match 11 - weighed(digits, 9) % 11 {
        0 | 1 | 10 | 11 => b'1',
        digit => ascii(digit),
    }
}

/// Modulo 11 of Santander and Caixa: weights 2 to 9, `11 − (s mod 11)`; above
/// 9 becomes 0.
pub fn modulo_11(digits: &[u8]) -> u8 {
    match 11 - weighed(digits.iter().rev(), 9) % 11 {
        10.. => b'0',
        digit => ascii(digit),
    }
}

/// Modulo 11 of Bradesco: weights 2 to 7; a rest of 0 gives 0, of 1 gives
/// `P`, any other `11 − rest`.
pub fn bradesco(carteira: &[u8], number: &[u8]) -> u8 {
    match weighed(carteira.iter().chain(number).rev(), 7) % 11 {
        0 => b'0',
        1 => b'P',
        rest => ascii(11 - rest),
    }
}

/// Modulo 11 of Banco do Brasil, for an agência, a conta or a short nosso
/// número: weights 9 down to 2 from the right; a rest of 10 gives `X`
/// (Doc5175, annex XI).
pub fn banco_do_brasil(digits: &[u8]) -> u8 {
    let mut weight = 9;
    let mut sum = 0;
    for digit in digits.iter().rev() {
        sum += weight * u32::from(digit - b'0');
        weight = if weight == 2 { 9 } else { weight - 1 };
    }
    match sum % 11 {
        10 => b'X',
        rest => ascii(rest),
    }
}

/// A value below ten as an ASCII digit.
fn ascii(value: u32) -> u8 {
    debug_assert!(value < 10, "no digit");
    b'0' + (value % 10) as u8
}
