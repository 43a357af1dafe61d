//! The parts of an agreement, as the issuer's file and the ledger have them.

use serde::{Deserialize, Serialize};

use crate::Document;
use crate::bank::{BancoDoBrasil, Bank, Bradesco, Caixa, Itau, Santander};
use crate::pix::PixKey;

/// Who is owed the money, as the slip names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beneficiary {
    /// Name.
    pub name: String,
    /// CPF or CNPJ.
    pub document: Document,
    /// Street, number, quarter.
    pub address: String,
    /// City.
    pub city: String,
    /// State, two letters.
    pub state: String,
    /// CEP.
    pub postal_code: String,
}

/// The agreement with one of the banks; in the file, `code` is its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code")]
pub(crate) enum BankAgreement {
    #[serde(rename = "001")]
    BancoDoBrasil(BancoDoBrasil),
    #[serde(rename = "033")]
    Santander(Santander),
    #[serde(rename = "104")]
    Caixa(Caixa),
    #[serde(rename = "237")]
    Bradesco(Bradesco),
    #[serde(rename = "341")]
    Itau(Itau),
}

impl BankAgreement {
    pub(crate) fn bank(&self) -> &(dyn Bank + Send + Sync) {
        match self {
            Self::BancoDoBrasil(bank) => bank,
            Self::Santander(bank) => bank,
            Self::Caixa(bank) => bank,
            Self::Bradesco(bank) => bank,
            Self::Itau(bank) => bank,
        }
    }
}

/// The issuer's PIX. Only the key is the issuer's to say; the rest follows
/// from the beneficiary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PixAgreement {
    pub(crate) key: PixKey,
}
