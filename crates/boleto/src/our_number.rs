use std::fmt;

/// Nosso número: what the bank calls a boleto, as a slip prints it, its check
/// digit included where the bank has one (`09/12345678901-0`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OurNumber(pub(crate) String);

impl OurNumber {
    /// Its letters and digits alone: unique for the issuer, and fit for the
    /// identifier of a PIX.
    pub fn compact(&self) -> String {
        self.0.chars().filter(char::is_ascii_alphanumeric).collect()
    }

    /// The text as the slip prints it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OurNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<OurNumber> for String {
    fn from(number: OurNumber) -> Self {
        number.0
    }
}
