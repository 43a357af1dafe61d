use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::DocumentType;

/// A key of the DICT: an e-mail address, a telephone (`+5511987654321`), a
/// CPF, a CNPJ, or a random key (a UUID).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PixKey(String);

/// A text is no [`PixKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "no PIX key: it is an e-mail address in small letters, a telephone such as +5511987654321, a CPF or CNPJ without punctuation, or a random key"
)]
pub struct PixKeyError;

/// Longest key of the DICT.
const MOST: usize = 77;

impl PixKey {
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PixKey {
    type Err = PixKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_key = text.len() <= MOST
            && (is_email(text)
                || is_telephone(text)
                || is_random(text)
                || DocumentType::of(text) != DocumentType::Unverified);
        is_key.then(|| Self(text.to_owned())).ok_or(PixKeyError)
    }
}

fn is_email(text: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || b".!#$&'*+/=?^_`{|}~-".contains(&byte)
            })
    };
    text.split_once('@')
        .is_some_and(|(local, domain)| part(local) && part(domain) && domain.contains('.'))
}

fn is_telephone(text: &str) -> bool {
    text.strip_prefix("+55").is_some_and(|rest| {
        matches!(rest.len(), 10 | 11) && rest.bytes().all(|b| b.is_ascii_digit())
    })
}

fn is_random(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

impl fmt::Display for PixKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PixKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PixKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_kinds_of_key_are_taken_and_nothing_else() {
        for key in [
            "cobranca@example.com",
            "+5511987654321",
            "+551133334444",
            "52998224725",
            "12ABC34501DE35",
            "123e4567-e12b-12d1-a456-426655440000",
        ] {
            assert_eq!(key.parse::<PixKey>().unwrap().as_str(), key);
        }
        for text in [
            "",
            "no key",
            "Cobranca@example.com",
            "a@b",
            "11987654321",
            "+55119876543210",
            "52998224726",
            "123E4567-E12B-12D1-A456-426655440000",
            "123e4567e12b12d1a456426655440000",
        ] {
            assert_eq!(text.parse::<PixKey>(), Err(PixKeyError), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(66));
        assert_eq!(long.parse::<PixKey>(), Err(PixKeyError));
    }
}
