//! A notification as its JSON has it: one flat object.

use boleto::{AgreementId, Amount, Barcode, DigitableLine, DocumentType, DueDate};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{BilledBoleto, Notification};

/// What is written. `document_type`, `bank` and `digitable_line` follow from
/// the rest, and are there for those who read it.
#[derive(Serialize)]
pub(super) struct WireRef<'a> {
    name: &'a str,
    government_id: &'a str,
    email: &'a str,
    #[serde(serialize_with = "exact_number::serialize")]
    debt_amount: Amount,
    #[serde(serialize_with = "iso_date::serialize")]
    debt_due_date: DueDate,
    debt_id: &'a str,
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
    pub(super) fn of(notification: &'a Notification, line: Option<&'a DigitableLine>) -> Self {
        let boleto = notification.boleto.as_ref();
        Self {
            name: &notification.name,
            government_id: &notification.government_id,
            email: &notification.email,
            debt_amount: notification.debt_amount,
            debt_due_date: notification.debt_due_date,
            debt_id: &notification.debt_id,
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

/// What is read. Only the contract's own keys must be there and in its form;
/// what stands in the others is a counterpart's own business.
#[derive(Deserialize)]
pub(super) struct Wire {
    name: String,
    government_id: String,
    email: String,
    #[serde(deserialize_with = "exact_number::deserialize")]
    debt_amount: Amount,
    #[serde(deserialize_with = "iso_date::deserialize")]
    debt_due_date: DueDate,
    debt_id: String,
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
            debt_amount: wire.debt_amount,
            debt_due_date: wire.debt_due_date,
            debt_id: wire.debt_id,
            boleto,
        }
    }
}

/// An amount as a JSON number that keeps its two decimals, and is never a
/// float on its way.
mod exact_number {
    use boleto::Amount;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::value::RawValue;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(amount.to_string())
            .map_err(ser::Error::custom)?
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        let number = <&RawValue>::deserialize(from)?;
        number.get().parse().map_err(de::Error::custom)
    }
}

mod iso_date {
    use std::borrow::Cow;

    use boleto::DueDate;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(date: &DueDate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(date)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DueDate, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
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
