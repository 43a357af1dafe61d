//! What an issuer has agreed with its bank.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bank::{AboveBankLimit, Bank};
use crate::issuer_file::{IssuerFile, IssuerFileError};
use crate::pix::StaticPix;
use crate::terms::{BankAgreement, Beneficiary, PixAgreement};
use crate::{Amount, OurNumber};

/// The issuer's own file of the demonstration.
const DEMONSTRATION: &str = include_str!("demonstration.toml");

/// What an issuer has agreed with its bank, and how the slip names the issuer.
/// It holds all of a slip that is not of one debt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Made once: it is asked for with each boleto that is printed.
    #[serde(skip)]
    id: AgreementId,
    registered: bool,
    instructions: Vec<String>,
    beneficiary: Beneficiary,
    bank: BankAgreement,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<PixAgreement>,
    /// Made once as well; `None` too where an agreement of the ledger has a
    /// name of which a PIX code has nothing.
    #[serde(skip)]
    pix_receiver: Option<StaticPix>,
}

/// A text of the ledger or of a notification is no agreement, or no id of one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AgreementError {
    /// It is not what [`Agreement::to_json`] gives; the text says where.
    #[error("{0}")]
    Malformed(String),
    /// It is no [`AgreementId`].
    #[error("an agreement's id is 16 hex digits")]
    Id,
}

impl Agreement {
    /// The issuer of the demonstration: its boletos are not registered with
    /// any bank, and their slips say so.
    pub fn demonstration() -> Self {
        Self::from_toml(DEMONSTRATION)
            .unwrap_or_else(|error| unreachable!("it is a part of this crate: {error}"))
    }

    /// Reads the issuer's file; `crates/boleto/src/demonstration.toml` is one.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn from_toml(text: &str) -> Result<Self, IssuerFileError> {
        let file: IssuerFile =
            toml::from_str(text).map_err(|error| IssuerFileError::Malformed(error.to_string()))?;
        file.checked().map(Self::from)
    }

    /// Reads what [`Agreement::to_json`] gave, now or in an earlier version:
    /// also an agreement that would be refused as an issuer's file by now, so
    /// that its boletos can still be printed.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(text: &str) -> Result<Self, AgreementError> {
        let file: IssuerFile = serde_json::from_str(text)
            .map_err(|error| AgreementError::Malformed(error.to_string()))?;
        Ok(Self::from(file))
    }

    /// The agreement as JSON: the same text whenever it is the same agreement.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("it has only texts"))
    }

    /// Names the agreement by all that it holds, so that a boleto can say
    /// under which one it was issued.
    pub const fn id(&self) -> AgreementId {
        self.id
    }

    /// The bank's side of it.
    pub fn bank(&self) -> &(dyn Bank + Send + Sync) {
        self.bank.bank()
    }

    /// Who is owed the money.
    pub fn beneficiary(&self) -> &Beneficiary {
        &self.beneficiary
    }

    /// Whether the issuer registers its boletos with the bank. One that is
    /// not registered cannot be paid.
    pub fn registered(&self) -> bool {
        self.registered
    }

    /// Lines for who takes the payment.
    pub fn instructions(&self) -> &[String] {
        &self.instructions
    }

    /// Whether the bank takes a boleto of that amount. It does not depend on
    /// the number, so it can be asked before one is used.
    ///
    /// # Errors
    /// When it takes less.
    pub fn takes(&self, amount: Amount) -> Result<(), AboveBankLimit> {
        let most = self.bank().most();
        if amount <= most {
            Ok(())
        } else {
            Err(AboveBankLimit { most })
        }
    }

    /// The PIX code of a boleto, where the issuer has a key.
    pub(crate) fn pix_code(&self, amount: Amount, our_number: &OurNumber) -> Option<String> {
        let receiver = self.pix_receiver.as_ref()?;
        Some(receiver.code(amount, &our_number.compact()))
    }
}

impl From<IssuerFile> for Agreement {
    fn from(file: IssuerFile) -> Self {
        let pix_receiver = file.pix_receiver();
        let mut agreement = Self {
            id: AgreementId(0),
            registered: file.registered,
            instructions: file.instructions,
            beneficiary: file.beneficiary,
            bank: file.bank,
            pix: file.pix,
            pix_receiver,
        };
        agreement.id = AgreementId::of_json(&agreement.to_json());
        agreement
    }
}

/// Names an [`Agreement`]: sixteen hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgreementId(u64);

impl AgreementId {
    /// The first bytes of the hash of an agreement's JSON.
    fn of_json(json: &str) -> Self {
        let hash = Sha256::digest(json);
        let (first, _) = hash.split_at(8);
        Self(first.iter().fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for AgreementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Reads sixteen hex digits.
impl FromStr for AgreementId {
    type Err = AgreementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or(AgreementError::Id)
    }
}

impl Serialize for AgreementId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AgreementId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lines: &[(&str, &str)]) -> Result<Agreement, IssuerFileError> {
        let mut text = DEMONSTRATION.to_owned();
        for (from, to) in lines {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Agreement::from_toml(&text)
    }

    const BANK: &str = "code = \"001\"\nagencia = \"452\"\nconta = \"123873\"\nconvenio = \"3128557\"\ncarteira = \"17\"\n";

    #[test]
    fn the_demonstration_is_an_agreement_that_says_it_is_none() {
        let agreement = Agreement::demonstration();
        assert!(!agreement.registered());
        assert_eq!(agreement.bank().numbering(), "3128557");
        assert_eq!(agreement.bank().branch_and_account(), "0452-9/123873-6");
    }

    #[test]
    fn json_keeps_it_whole_and_its_id_is_that_of_its_content() {
        for bank in [
            BANK,
            "code = \"033\"\nagencia = \"1\"\nbeneficiario = \"707077\"\ncarteira = \"101\"\n",
            "code = \"104\"\nagencia = \"1\"\nbeneficiario = \"5507\"\nmodalidade = \"14\"\n",
            "code = \"104\"\nagencia = \"1\"\nbeneficiario = \"1100000\"\nmodalidade = \"14\"\n",
            "code = \"237\"\nagencia = \"1\"\nagencia_digito = \"P\"\nconta = \"6580\"\nconta_digito = \"4\"\ncarteira = \"09\"\n",
            "code = \"341\"\nagencia = \"1\"\nconta = \"2124\"\ncarteira = \"109\"\n",
        ] {
            for pix in ["", "\n[pix]\nkey = \"cobranca@example.com\"\n"] {
                let agreement = with(&[(BANK, &format!("{bank}{pix}"))]).unwrap();
                let again = Agreement::from_json(&agreement.to_json()).unwrap();
                assert_eq!(again, agreement);
                assert_eq!(again.id(), agreement.id());
                assert_eq!(agreement.id().to_string().parse(), Ok(agreement.id()));
                assert_eq!(agreement.pix_receiver.is_some(), !pix.is_empty());
            }
        }
        let other = with(&[("\"17\"", "\"18\"")]).unwrap();
        assert_ne!(other.id(), Agreement::demonstration().id());
    }

    /// Made by the first version, each with the id it gave and what its slip
    /// said of the account.
    #[test]
    fn an_agreement_of_the_ledger_keeps_its_id_and_is_printed() {
        const FIRST: &str = r#"{"registered":false,"instructions":["Boleto de demonstração: não pague."],"beneficiary":{"name":"NAME","document":"11222333000181","address":"Avenida Exemplo, 1000, Centro","city":"CITY","state":"SP","postal_code":"CEP"},"bank":BANK,"pix":{"key":"cobranca@example.com"}}"#;
        let usual = ("Empresa de Demonstração Ltda.", "São Paulo", "01000-000");
        for ((name, city, postal_code), bank, id, account) in [
            (
                usual,
                r#"{"code":"001","agencia":"0452","conta":"00123873","convenio":"3128557","carteira":"17"}"#,
                "538ba4f9d8f1cd6c",
                "0452-9/123873-6",
            ),
            (
                usual,
                r#"{"code":"033","agencia":"0001","beneficiario":"0707077","carteira":"101"}"#,
                "5f89f4bb6376c929",
                "0001/0707077",
            ),
            (
                usual,
                r#"{"code":"104","agencia":"0001","beneficiario":"005507","modalidade":"14"}"#,
                "d9d3dd4195003bb3",
                "0001/005507-7",
            ),
            // Without the digits that the file has to say by now.
            (
                usual,
                r#"{"code":"237","agencia":"1234","conta":"0006580","carteira":"09"}"#,
                "6f1bd5d7fbf49915",
                "1234 / 0006580",
            ),
            (
                usual,
                r#"{"code":"341","agencia":"0057","conta":"72192","carteira":"109"}"#,
                "430a42ddb20e4d62",
                "0057/72192-0",
            ),
            // In a carteira that is refused by now.
            (
                usual,
                r#"{"code":"341","agencia":"0057","conta":"72192","carteira":"112"}"#,
                "82faa2b2ddc18513",
                "0057/72192-0",
            ),
            // A convênio and texts that are refused by now.
            (
                ("\u{200B}☃", "☃", ""),
                r#"{"code":"001","agencia":"0452","conta":"00123873","convenio":"0312855","carteira":"17"}"#,
                "dd7e6e6938847768",
                "0452-9/123873-6",
            ),
        ] {
            let json = FIRST
                .replace("BANK", bank)
                .replace("NAME", name)
                .replace("CITY", city)
                .replace("CEP", postal_code);
            let agreement = Agreement::from_json(&json).unwrap();
            assert_eq!(agreement.to_json(), json);
            assert_eq!(agreement.id().to_string(), id, "{bank}");
            assert_eq!(agreement.bank().branch_and_account(), account);
        }
    }
}
