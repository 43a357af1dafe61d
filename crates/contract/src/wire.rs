//! A notification as its JSON has it: one flat object.

use boleto::{AgreementId, Amount, Barcode, DigitableLine, DocumentType};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BilledBoleto, Notification, OptionalFields};

impl Serialize for Notification {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let barcode = self.boleto.as_ref().map(|boleto| boleto.barcode);
        let line = barcode.map(|barcode| barcode.digitable_line());
        WireRef::of(self, line.as_ref()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Notification {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Wire::deserialize(from).map(Self::from)
    }
}

/// What is written. `document_type`, `bank` and `digitable_line` follow from
/// the rest, and are there for those who read it.
#[derive(Serialize)]
struct WireRef<'a> {
    name: &'a str,
    government_id: &'a str,
    email: &'a str,
    #[serde(rename = "email_revision", skip_serializing_if = "is_first")]
    revision: u32,
    #[serde(serialize_with = "exact_number::serialize")]
    debt_amount: Amount,
    debt_due_date: Date,
    debt_id: &'a str,
    #[serde(skip_serializing_if = "OptionalFields::is_empty")]
    columns: &'a OptionalFields,
    document_type: DocumentType,
    #[serde(skip_serializing_if = "Option::is_none")]
    our_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digitable_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beneficiary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<AgreementId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_on: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<&'a str>,
}

impl<'a> WireRef<'a> {
    /// `line` is the linha digitável of its barcode.
    fn of(notification: &'a Notification, line: Option<&'a DigitableLine>) -> Self {
        let boleto = notification.boleto.as_ref();
        Self {
            name: &notification.name,
            government_id: &notification.government_id,
            email: &notification.email,
            revision: notification.revision,
            debt_amount: notification.debt_amount,
            debt_due_date: notification.debt_due_date,
            debt_id: &notification.debt_id,
            columns: &notification.columns,
            document_type: DocumentType::of(&notification.government_id),
            our_number: boleto.map(|boleto| &*boleto.our_number),
            bank: boleto.map(|boleto| boleto.barcode.bank()),
            barcode: boleto.map(|boleto| boleto.barcode.as_str()),
            digitable_line: line.map(DigitableLine::as_str),
            beneficiary: boleto.map(|boleto| &*boleto.beneficiary),
            issuer: boleto.map(|boleto| boleto.issuer),
            issued_on: boleto.map(|boleto| boleto.issued_on),
            pix: boleto.and_then(|boleto| boleto.pix.as_deref()),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_first(revision: &u32) -> bool {
    *revision == 0
}

/// What is read. Only the contract's own keys must be there, once and in its
/// form; what stands in the others is a counterpart's own business.
#[derive(Deserialize)]
struct Wire {
    name: String,
    #[serde(deserialize_with = "text_or_integer::deserialize")]
    government_id: String,
    email: String,
    #[serde(
        rename = "email_revision",
        default,
        deserialize_with = "revision::deserialize"
    )]
    revision: u32,
    #[serde(deserialize_with = "exact_number::deserialize")]
    debt_amount: Amount,
    #[serde(deserialize_with = "iso_date::deserialize")]
    debt_due_date: Date,
    #[serde(deserialize_with = "debt_id::deserialize")]
    debt_id: String,
    #[serde(default, deserialize_with = "columns::deserialize")]
    columns: OptionalFields,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    our_number: Option<String>,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    barcode: Option<Barcode>,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    beneficiary: Option<String>,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    issuer: Option<AgreementId>,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    issued_on: Option<Date>,
    #[serde(default, deserialize_with = "lenient::deserialize")]
    pix: Option<String>,
}

impl From<Wire> for Notification {
    fn from(wire: Wire) -> Self {
        let whole = (
            wire.our_number,
            wire.barcode,
            wire.beneficiary,
            wire.issuer,
            wire.issued_on,
        );
        let boleto = match whole {
            (Some(our_number), Some(barcode), Some(beneficiary), Some(issuer), Some(issued_on)) => {
                Some(BilledBoleto {
                    our_number,
                    barcode,
                    beneficiary: beneficiary.into(),
                    issuer,
                    issued_on,
                    pix: wire.pix,
                })
            }
            _ => None,
        };
        Self {
            name: wire.name,
            government_id: wire.government_id,
            email: wire.email,
            revision: wire.revision,
            debt_amount: wire.debt_amount,
            debt_due_date: wire.debt_due_date,
            debt_id: wire.debt_id,
            columns: wire.columns,
            boleto,
        }
    }
}

/// An amount as a JSON number that keeps its two decimals, and is never a
/// float on its way.
mod exact_number {
    use std::borrow::Cow;

    use boleto::Amount;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::value::RawValue;

    use super::super::json_amount;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(amount.to_string())
            .map_err(ser::Error::custom)?
            .serialize(to)
    }

    /// From the number, or from a text that holds it.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        let value = <&RawValue>::deserialize(from)?.get();
        let amount = if value.starts_with('"') {
            let text: Cow<'_, str> = serde_json::from_str(value).map_err(de::Error::custom)?;
            json_amount::read(text.trim())
        } else {
            json_amount::read(value)
        };
        amount.map_err(de::Error::custom)
    }
}

/// Any day of the calendar, as a counterpart may bill one without a due-date
/// factor.
mod iso_date {
    use std::borrow::Cow;

    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, de};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.trim().parse().map_err(de::Error::custom)
    }
}

/// A text, or an integer as its digits stand there, however many.
mod text_or_integer {
    use serde::{Deserialize, Deserializer, de};
    use serde_json::value::RawValue;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        let value = <&RawValue>::deserialize(from)?.get();
        if let Some(text) = value.strip_prefix('"') {
            // Nearly every one: what stands between its quotes.
            return match text.strip_suffix('"') {
                Some(text) if !text.contains('\\') => Ok(text.to_owned()),
                _ => serde_json::from_str(value).map_err(de::Error::custom),
            };
        }
        let digits = value.strip_prefix('-').unwrap_or(value);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(value.to_owned())
        } else {
            Err(de::Error::custom("neither a text nor an integer"))
        }
    }
}

/// A debt's id, trimmed as its keys in the ledger are. An empty one would be
/// that of many debts, of which one would get its e-mail.
mod debt_id {
    use serde::{Deserializer, de};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        let text = super::text_or_integer::deserialize(from)?;
        match text.trim() {
            "" => Err(de::Error::custom("the debt's id is empty")),
            id if id.len() == text.len() => Ok(text),
            id => Ok(id.to_owned()),
        }
    }
}

/// A number that we write; anything else is none of ours.
mod revision {
    use serde::{Deserialize, Deserializer};
    use serde_json::value::RawValue;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        let value = <&RawValue>::deserialize(from)?;
        Ok(value.get().parse().unwrap_or_default())
    }
}

/// What we know of the optional columns; anything else is nothing.
mod columns {
    use serde::{Deserialize, Deserializer};
    use serde_json::value::RawValue;

    use super::OptionalFields;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<OptionalFields, D::Error> {
        let value = <&RawValue>::deserialize(from)?;
        Ok(serde_json::from_str(value.get()).unwrap_or_default())
    }
}

/// A text in the form that we know; anything else is `None`.
mod lenient {
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer};
    use serde_json::value::RawValue;

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        let value = <&RawValue>::deserialize(from)?;
        let text: Option<String> = serde_json::from_str(value.get()).ok();
        Ok(text.and_then(|text| text.parse().ok()))
    }
}
