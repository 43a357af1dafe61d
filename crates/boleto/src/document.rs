use std::fmt;

use cpf_cnpj::{cnpj, cpf};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind of document a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// Of a person: 11 digits, the last two of them check digits.
    Cpf,
    /// Of a company: 12 digits or capital letters and two check digits. It
    /// may hold letters since July 2026 (RFB, IN 2.229/2024).
    Cnpj,
    /// Neither: printed without punctuation, letters as capitals.
    Unverified,
}

impl DocumentType {
    /// The kind of a text without punctuation, letters in capitals.
    pub fn of(text: &str) -> Self {
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        match *text.as_bytes() {
            ref all if all.len() == 11 && digits(all) && cpf::validate(text) => Self::Cpf,
            ref all
                if all.len() == 14
                    && all
                        .iter()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z'))
                    && digits(&all[12..])
                    && cnpj::validate(text) =>
            {
                Self::Cnpj
            }
            _ => Self::Unverified,
        }
    }

    /// Name in messages and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpf => "cpf",
            Self::Cnpj => "cnpj",
            Self::Unverified => "unverified",
        }
    }
}

/// The document of a person or a company, and what kind it is. It displays
/// as people write it: `529.982.247-25`, `12.ABC.345/01DE-35`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Document {
    kind: DocumentType,
    text: String,
}

impl Document {
    /// Takes the letters and digits of a text, letters as capitals.
    ///
    /// ```
    /// let document = boleto::Document::of("529.982.247-25");
    /// assert_eq!(document.kind(), boleto::DocumentType::Cpf);
    /// assert_eq!(document.as_str(), "52998224725");
    /// ```
    pub fn of(text: &str) -> Self {
        let text: String = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_uppercase())
            .collect();
        Self {
            kind: DocumentType::of(&text),
            text,
        }
    }

    /// What kind it is.
    pub const fn kind(&self) -> DocumentType {
        self.kind
    }

    /// Its letters and digits.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.text;
        match self.kind {
            DocumentType::Cpf => write!(f, "{}.{}.{}-{}", &t[..3], &t[3..6], &t[6..9], &t[9..]),
            DocumentType::Cnpj => write!(
                f,
                "{}.{}.{}/{}-{}",
                &t[..2],
                &t[2..5],
                &t[5..8],
                &t[8..12],
                &t[12..]
            ),
            DocumentType::Unverified => f.write_str(t),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::of(&String::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_classified_and_written_as_people_write_it() {
        for (text, kind, shown) in [
            ("52998224725", DocumentType::Cpf, "529.982.247-25"),
            ("529.982.247-25", DocumentType::Cpf, "529.982.247-25"),
            ("12abc34501de35", DocumentType::Cnpj, "12.ABC.345/01DE-35"),
            ("00000000000", DocumentType::Unverified, "00000000000"),
            ("52998224726", DocumentType::Unverified, "52998224726"),
            ("12ABC34501DE3A", DocumentType::Unverified, "12ABC34501DE3A"),
            ("9558", DocumentType::Unverified, "9558"),
            ("", DocumentType::Unverified, ""),
        ] {
            let document = Document::of(text);
            assert_eq!((document.kind(), &*document.to_string()), (kind, shown));
        }
    }
}
