//! What an issuer has agreed with its bank.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bank::{BancoDoBrasil, Bank, Bradesco, Caixa, Itau, Santander};
use crate::boleto::AboveBankLimit;
use crate::pix::{PixKey, StaticPix};
use crate::{Amount, Document, OurNumber};

/// The issuer's own file of the demonstration.
const DEMONSTRATION: &str = include_str!("demonstration.toml");

/// Most lines of instructions, and most characters of one: what the slip has
/// room for.
const INSTRUCTION_LINES: usize = 5;
const INSTRUCTION_CHARACTERS: usize = 90;

/// What an issuer has agreed with its bank, and how the slip names the issuer.
/// It holds all of a slip that is not of one debt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "AgreementFile")]
pub struct Agreement {
    /// Made once: it is asked for with each boleto that is printed.
    #[serde(skip)]
    id: AgreementId,
    registered: bool,
    instructions: Vec<String>,
    beneficiary: Beneficiary,
    bank: BankAgreement,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<StaticPix>,
}

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
enum BankAgreement {
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

/// An agreement as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementFile {
    registered: bool,
    #[serde(default)]
    instructions: Vec<String>,
    beneficiary: Beneficiary,
    bank: BankAgreement,
    pix: Option<PixFile>,
}

/// The issuer's PIX. Only the key is the issuer's to say; the rest follows
/// from the beneficiary.
#[derive(Deserialize)]
struct PixFile {
    key: PixKey,
}

/// Why a text is no [`Agreement`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AgreementError {
    /// It is not TOML of the right form; the text says where.
    #[error("{0}")]
    Malformed(String),
    /// A part of it is not as it should be.
    #[error("{0}")]
    Unfit(&'static str),
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
    pub fn from_toml(text: &str) -> Result<Self, AgreementError> {
        toml::from_str(text).map_err(|error| AgreementError::Malformed(error.to_string()))
    }

    /// Reads what [`Agreement::to_json`] gave.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(text: &str) -> Result<Self, AgreementError> {
        serde_json::from_str(text).map_err(|error| AgreementError::Malformed(error.to_string()))
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
        match &self.bank {
            BankAgreement::BancoDoBrasil(bank) => bank,
            BankAgreement::Santander(bank) => bank,
            BankAgreement::Caixa(bank) => bank,
            BankAgreement::Bradesco(bank) => bank,
            BankAgreement::Itau(bank) => bank,
        }
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
        let pix = self.pix.as_ref()?;
        Some(pix.code(amount, &our_number.compact()))
    }
}

impl TryFrom<AgreementFile> for Agreement {
    type Error = AgreementError;

    fn try_from(file: AgreementFile) -> Result<Self, Self::Error> {
        let AgreementFile {
            registered,
            instructions,
            beneficiary,
            bank,
            pix,
        } = file;
        let filled = |text: &String| !text.trim().is_empty();
        let Beneficiary {
            name,
            address,
            city,
            state,
            ..
        } = &beneficiary;
        if ![name, address, city, state].into_iter().all(filled) {
            return Err(AgreementError::Unfit(
                "the beneficiary needs name, document, address, city, state and postal_code",
            ));
        }
        if beneficiary.document.kind() == crate::DocumentType::Unverified {
            return Err(AgreementError::Unfit(
                "the beneficiary's document is no valid CPF or CNPJ",
            ));
        }
        let fits = |line: &String| line.chars().count() <= INSTRUCTION_CHARACTERS;
        if instructions.len() > INSTRUCTION_LINES || !instructions.iter().all(fits) {
            return Err(AgreementError::Unfit(
                "the slip has room for 5 instructions of up to 90 characters",
            ));
        }
        let pix =
            pix.map(|pix| StaticPix::of_issuer(pix.key, &beneficiary.name, &beneficiary.city));
        let mut agreement = Self {
            id: AgreementId(0),
            registered,
            instructions,
            beneficiary,
            bank,
            pix,
        };
        agreement.id = AgreementId::of_json(&agreement.to_json());
        Ok(agreement)
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
            .ok_or(AgreementError::Unfit("an agreement's id is 16 hex digits"))
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

    fn with(lines: &[(&str, &str)]) -> Result<Agreement, AgreementError> {
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
        assert_eq!(agreement.bank().branch_and_account(), "0452-9 / 123873-6");
    }

    #[test]
    fn json_keeps_it_whole_and_its_id_is_that_of_its_content() {
        for bank in [
            BANK,
            "code = \"033\"\nagencia = \"1\"\nbeneficiario = \"707077\"\ncarteira = \"101\"\n",
            "code = \"104\"\nagencia = \"1\"\nbeneficiario = \"5507\"\nmodalidade = \"14\"\n",
            "code = \"237\"\nagencia = \"1\"\nconta = \"6580\"\ncarteira = \"09\"\n",
            "code = \"341\"\nagencia = \"1\"\nconta = \"2124\"\ncarteira = \"109\"\n",
        ] {
            for pix in ["", "\n[pix]\nkey = \"cobranca@example.com\"\n"] {
                let agreement = with(&[(BANK, &format!("{bank}{pix}"))]).unwrap();
                let again = Agreement::from_json(&agreement.to_json()).unwrap();
                assert_eq!(again, agreement);
                assert_eq!(again.id(), agreement.id());
                assert_eq!(agreement.id().to_string().parse(), Ok(agreement.id()));
                assert_eq!(agreement.pix.is_some(), !pix.is_empty());
            }
        }
        let other = with(&[("\"17\"", "\"18\"")]).unwrap();
        assert_ne!(other.id(), Agreement::demonstration().id());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (from, to, said) in [
            ("code = \"001\"", "code = \"999\"", "999"),
            ("\"3128557\"", "\"31285570\"", "1 to 7 digits"),
            ("carteira", "carteria", "carteria"),
            ("\"17\"", "17", "string"),
            ("document = \"", "document = \"1", "no valid CPF or CNPJ"),
            (
                "instructions = [",
                "instructions = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",",
                "room for 5",
            ),
            ("registered = false", "", "registered"),
            (
                BANK,
                "code = \"341\"\nagencia = \"1\"\nconta = \"2\"\ncarteira = \"198\"\n",
                "198",
            ),
            (
                BANK,
                "code = \"104\"\nagencia = \"1\"\nbeneficiario = \"2\"\nmodalidade = \"15\"\n",
                "15",
            ),
        ] {
            let error = with(&[(from, to)]).unwrap_err().to_string();
            assert!(error.contains(said), "{to}: {error}");
        }
        let error = with(&[(BANK, &format!("{BANK}[pix]\nkey = \"no key\"\n"))]).unwrap_err();
        assert!(error.to_string().contains("PIX key"), "{error}");
    }
}
