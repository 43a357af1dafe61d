use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use boleto::{AgreementId, Amount, Barcode};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{DebtRecord, OptionalFields, RowId};

/// What `data-process-topic` carries for each billed debt: the body is this
/// as one flat JSON object, whose schema is
/// `docs/billing-notification.schema.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Name of the debtor.
    pub name: String,
    /// Document of the debtor: digits and capital letters.
    pub government_id: String,
    /// Address for the e-mail.
    pub email: String,
    /// How often the address was changed since the debt was billed. Each
    /// revision has an e-mail of its own, and the latest alone is to be sent.
    pub revision: u32,
    /// What is owed.
    pub debt_amount: Amount,
    /// When it is due. A day without a due-date factor is a counterpart's.
    pub debt_due_date: Date,
    /// What identifies the debt.
    pub debt_id: String,
    /// What there is of the optional columns.
    pub columns: OptionalFields,
    /// The boleto; `None` where a counterpart says nothing of it that we can
    /// read.
    pub boleto: Option<BilledBoleto>,
}

/// The boleto of a notification: with the agreement it names, all that it
/// takes to print it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilledBoleto {
    /// Nosso número as the slip prints it.
    pub our_number: String,
    /// The barcode; bank and linha digitável follow from it.
    pub barcode: Barcode,
    /// Name of the beneficiary, for subscribers that know no agreement.
    pub beneficiary: Arc<str>,
    /// The agreement it was issued under, which the ledger has.
    pub issuer: AgreementId,
    /// The day it was issued on, in Brasília.
    pub issued_on: Date,
    /// The PIX BR Code, where the issuer has a key.
    pub pix: Option<String>,
}

impl Notification {
    /// The notification of a debt that is not billed yet.
    pub fn of(record: DebtRecord) -> Self {
        Self {
            name: record.name,
            government_id: record.government_id,
            email: record.email,
            revision: 0,
            debt_amount: record.amount,
            debt_due_date: record.due_date.date(),
            debt_id: record.debt_id,
            columns: record.columns,
            boleto: None,
        }
    }

    /// The same debt, whose e-mail goes to that address, anew.
    #[must_use]
    pub fn readdressed(self, email: String) -> Self {
        Self {
            email,
            revision: self.revision.saturating_add(1),
            ..self
        }
    }

    /// The same debt, of which nobody can tell any more whose it is. It is kept
    /// and never published.
    #[must_use]
    pub fn erased(self) -> Self {
        Self {
            name: String::new(),
            government_id: String::new(),
            email: String::new(),
            columns: OptionalFields::default(),
            ..self
        }
    }

    /// Whether it is [erased](Self::erased): no debt is billed without these.
    pub fn is_erased(&self) -> bool {
        self.name.is_empty() && self.government_id.is_empty() && self.email.is_empty()
    }
}

/// A body of `process-email` is no notification. Its text says where, and
/// nothing of what the body holds.
#[derive(Debug, Error)]
#[error(
    "the message is no billing notification: {:?} error at line {} column {}",
    .0.classify(), .0.line(), .0.column()
)]
pub struct MalformedNotification(#[from] serde_json::Error);

/// What a message of `process-email` holds, with or without raw delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedNotification {
    /// The notification.
    pub notification: Notification,
    /// The row that holds the debt's claim, where the publisher named one.
    pub row: Option<RowId>,
}

impl ReceivedNotification {
    /// Reads a body: the notification itself (raw delivery) or the SNS JSON
    /// envelope around it. `row` is what the message's own attributes say,
    /// which raw delivery uses; an envelope carries them inside.
    pub fn read(body: &str, row: Option<RowId>) -> Result<Self, MalformedNotification> {
        // Nearly every body is a notification itself, so that is tried first.
        let no_notification = match parse(body) {
            Ok(notification) => return Ok(Self { notification, row }),
            Err(error) => error,
        };
        match parse::<Envelope>(body) {
            Ok(envelope) if envelope.kind == "Notification" => Ok(Self {
                notification: parse(&envelope.message)?,
                row: envelope.row(),
            }),
            _ => Err(no_notification.into()),
        }
    }
}

/// JSON, which some write with a BOM before it (RFC 8259, section 8.1).
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The parts of the SNS envelope that matter here. Whatever its attributes
/// are, they do not keep the message from being read.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "Message", borrow)]
    message: Cow<'a, str>,
    #[serde(rename = "MessageAttributes", borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct EnvelopeAttributes<'a> {
    #[serde(borrow)]
    import_id: Option<&'a RawValue>,
    #[serde(borrow)]
    row: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct EnvelopeAttribute<'a> {
    #[serde(rename = "Value", borrow)]
    value: Cow<'a, str>,
}

impl Envelope<'_> {
    fn row(&self) -> Option<RowId> {
        let attributes: EnvelopeAttributes<'_> = parse(self.attributes?.get()).ok()?;
        let import_id: EnvelopeAttribute<'_> = parse(attributes.import_id?.get()).ok()?;
        let row: EnvelopeAttribute<'_> = parse(attributes.row?.get()).ok()?;
        RowId::from_attributes(Some(&import_id.value), Some(&row.value))
    }
}

/// The text of an attribute in the SNS envelope that a body is; `None` where it
/// has no such attribute, or is no envelope.
pub fn envelope_attribute<'a>(body: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let envelope: Envelope<'a> = parse(body).ok()?;
    let attributes: BTreeMap<Cow<'a, str>, &'a RawValue> =
        parse(envelope.attributes?.get()).ok()?;
    let attribute: EnvelopeAttribute<'a> = parse(attributes.get(name)?.get()).ok()?;
    Some(attribute.value)
}

#[cfg(test)]
mod tests;
