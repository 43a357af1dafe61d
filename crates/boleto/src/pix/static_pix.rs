use std::fmt::Write;

use super::{GUI, PixKey, checksum};
use crate::Amount;
use crate::text::to_ascii;

/// Longest name and city of a receiver, and longest identifier.
const NAME: usize = 25;
const CITY: usize = 15;
const TXID: usize = 25;

/// A static PIX: money for a key. It does not settle a boleto at its bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPix {
    key: PixKey,
    name: String,
    city: String,
}

impl StaticPix {
    /// The PIX of a receiver. `None` where name or city are empty, too long
    /// (25 and 15 characters), or not ASCII.
    pub fn new(key: PixKey, name: &str, city: &str) -> Option<Self> {
        let fits = |text: &str, most: usize| {
            !text.is_empty() && text.len() <= most && text.bytes().all(|b| matches!(b, b' '..=b'~'))
        };
        (fits(name, NAME) && fits(city, CITY)).then(|| Self {
            key,
            name: name.to_owned(),
            city: city.to_owned(),
        })
    }

    /// The same, with name and city made to fit: transliterated, and cut.
    /// `None` where nothing is left of either, as banks refuse such a code.
    pub fn of_issuer(key: PixKey, name: &str, city: &str) -> Option<Self> {
        Self::new(key, &fitting(name, NAME), &fitting(city, CITY))
    }

    /// The code for an amount. `txid` identifies the payment: up to 25
    /// letters and digits, others are left out.
    pub fn code(&self, amount: Amount, txid: &str) -> String {
        self.code_with(Some(amount), None, txid)
    }

    /// The code with or without an amount and a text for the payer. A `txid`
    /// without a letter or digit becomes `***`: none.
    pub fn code_with(&self, amount: Option<Amount>, text: Option<&str>, txid: &str) -> String {
        let mut account = String::with_capacity(96);
        element(&mut account, "00", GUI);
        element(&mut account, "01", self.key.as_str());
        if let Some(text) = text {
            element(&mut account, "02", text);
        }
        let mut code = String::with_capacity(256);
        element(&mut code, "00", "01");
        element(&mut code, "26", &account);
        element(&mut code, "52", "0000");
        element(&mut code, "53", "986");
        if let Some(amount) = amount {
            element(&mut code, "54", &amount.to_string());
        }
        element(&mut code, "58", "BR");
        element(&mut code, "59", &self.name);
        element(&mut code, "60", &self.city);
        let txid: String = txid
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(TXID)
            .collect();
        let txid = if txid.is_empty() { "***" } else { &txid };
        let mut additional = String::with_capacity(32);
        element(&mut additional, "05", txid);
        element(&mut code, "62", &additional);
        code.push_str("6304");
        let checksum = checksum(&code);
        code.push_str(&checksum);
        code
    }
}

/// Id, length, value.
fn element(code: &mut String, id: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = write!(code, "{id}{:02}{value}", value.len());
}

/// In ASCII, and cut at `most`.
fn fitting(text: &str, most: usize) -> String {
    let mut text = to_ascii(text);
    text.truncate(most);
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PixKey {
        "cobranca@example.com".parse().unwrap()
    }

    fn fitted(name: &str, city: &str) -> (String, String) {
        let pix = StaticPix::of_issuer(key(), name, city).unwrap();
        (pix.name, pix.city)
    }

    #[test]
    fn an_issuer_is_made_to_fit() {
        for (name, city, fits) in [
            (
                "Companhia de Águas e Saneamento Ltda.",
                "São José dos Campos",
                ("Companhia de Aguas e Sane", "Sao Jose dos Ca"),
            ),
            (
                "Bar  d’Água\u{A0} – “Zé”",
                "Pau d’Alho",
                ("Bar d'Agua - \"Ze\"", "Pau d'Alho"),
            ),
            (
                "Associação dos Moradores e Amigos",
                "Rio das Flores do Sul",
                ("Associacao dos Moradores", "Rio das Flores"),
            ),
            ("ООО Ромашка", "Москва", ("OOO Romashka", "Moskva")),
        ] {
            let fitted = fitted(name, city);
            assert_eq!((&*fitted.0, &*fitted.1), fits);
        }
    }

    #[test]
    fn an_issuer_of_which_nothing_is_left_has_no_code() {
        for (name, city) in [
            ("☃", "São Paulo"),
            ("Loja", "☃"),
            ("\u{200B}", "x"),
            ("x", " "),
        ] {
            assert_eq!(
                StaticPix::of_issuer(key(), name, city),
                None,
                "{name} {city}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(26);
        for (name, city) in [
            ("", "c"),
            ("n", ""),
            (&*long, "c"),
            ("n", &*long),
            ("ã", "c"),
        ] {
            assert_eq!(StaticPix::new(key(), name, city), None);
        }
    }
}
