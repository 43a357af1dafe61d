use std::borrow::Cow;
use std::sync::Arc;

use boleto::{AgreementId, Amount, Barcode, DueDate};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::wire::{Wire, WireRef};
use super::{DebtRecord, RowId};

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
    /// What is owed.
    pub debt_amount: Amount,
    /// When it is due.
    pub debt_due_date: DueDate,
    /// What identifies the debt.
    pub debt_id: String,
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
            debt_amount: record.amount,
            debt_due_date: record.due_date,
            debt_id: record.debt_id,
            boleto: None,
        }
    }
}

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
        let no_notification = match serde_json::from_str(body) {
            Ok(notification) => return Ok(Self { notification, row }),
            Err(error) => error,
        };
        match serde_json::from_str::<Envelope>(body) {
            Ok(envelope) if envelope.kind == "Notification" => Ok(Self {
                notification: serde_json::from_str(&envelope.message)?,
                row: RowId::from_attributes(
                    envelope.attributes.import_id.as_ref().map(|a| &*a.value),
                    envelope.attributes.row.as_ref().map(|a| &*a.value),
                ),
            }),
            _ => Err(no_notification.into()),
        }
    }
}

/// The parts of the SNS envelope that matter here.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "Message", borrow)]
    message: Cow<'a, str>,
    #[serde(rename = "MessageAttributes", default, borrow)]
    attributes: EnvelopeAttributes<'a>,
}

#[derive(Default, Deserialize)]
struct EnvelopeAttributes<'a> {
    #[serde(borrow)]
    import_id: Option<EnvelopeAttribute<'a>>,
    #[serde(borrow)]
    row: Option<EnvelopeAttribute<'a>>,
}

#[derive(Deserialize)]
struct EnvelopeAttribute<'a> {
    #[serde(rename = "Value", borrow)]
    value: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BODY: &str = r#"{"name":"João \"Zé\"","government_id":"00123","email":"ze@example.com","debt_amount":7811.00,"debt_due_date":"2024-01-19","debt_id":"17","document_type":"unverified","our_number":"31285570000000001","bank":"001","barcode":"00191960000007811000000003128557000000000117","digitable_line":"00190000090312855700000000001172196000000781100","beneficiary":"Empresa","issuer":"00000000000000ff","issued_on":"2026-11-24","pix":"000201"}"#;

    fn notification() -> Notification {
        Notification {
            name: "João \"Zé\"".into(),
            government_id: "00123".into(),
            email: "ze@example.com".into(),
            debt_amount: "7811".parse().unwrap(),
            debt_due_date: "2024-01-19".parse().unwrap(),
            debt_id: "17".into(),
            boleto: Some(BilledBoleto {
                our_number: "31285570000000001".into(),
                barcode: "00191960000007811000000003128557000000000117"
                    .parse()
                    .unwrap(),
                beneficiary: "Empresa".into(),
                issuer: "00000000000000ff".parse().unwrap(),
                issued_on: "2026-11-24".parse().unwrap(),
                pix: Some("000201".into()),
            }),
        }
    }

    #[test]
    fn the_body_is_as_the_contract_has_it() {
        assert_eq!(serde_json::to_string(&notification()).unwrap(), BODY);
    }

    #[test]
    fn a_raw_body_is_read_with_the_attributes_of_its_message() {
        let row = RowId {
            import_id: Uuid::from_u128(7),
            row: 3,
        };
        let received = ReceivedNotification::read(BODY, Some(row)).unwrap();
        assert_eq!(received.notification, notification());
        assert_eq!(received.row, Some(row));
    }

    #[test]
    fn an_envelope_is_read_with_the_attributes_inside() {
        let envelope = serde_json::json!({
            "Type": "Notification",
            "MessageId": "x",
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:data-process-topic",
            "Message": BODY,
            "MessageAttributes": {
                "event_type": {"Type": "String", "Value": "billing.issued"},
                "import_id": {"Type": "String", "Value": Uuid::from_u128(7)},
                "row": {"Type": "Number", "Value": "3"},
            },
        });
        let received = ReceivedNotification::read(&envelope.to_string(), None).unwrap();
        assert_eq!(received.notification, notification());
        assert_eq!(received.row.map(|row| row.row), Some(3));
    }

    #[test]
    fn a_counterpart_may_leave_out_what_is_optional() {
        let body = r#"{"name":"n","government_id":"1","email":"a@b.co","debt_amount":1.5,"debt_due_date":"2024-01-19","debt_id":"17"}"#;
        let received = ReceivedNotification::read(body, None).unwrap();
        assert_eq!(received.notification.debt_amount.centavos(), 150);
        assert_eq!(received.notification.boleto, None);
        assert_eq!(received.row, None);
    }

    #[test]
    fn a_boleto_in_another_form_is_none_and_the_rest_is_read() {
        for (ours, theirs) in [
            (
                r#""our_number":"31285570000000001""#,
                r#""our_number":31285570000000001"#,
            ),
            (r#""barcode":"0019"#, r#""barcode":"0018"#),
            (r#""issuer":"00000000000000ff""#, r#""issuer":{"id":1}"#),
            (r#""issued_on":"2026-11-24""#, r#""issued_on":"24/11/2026""#),
        ] {
            let body = BODY.replace(ours, theirs);
            assert_ne!(body, BODY);
            let received = ReceivedNotification::read(&body, None).unwrap();
            assert_eq!(received.notification.boleto, None, "{theirs}");
            assert_eq!(received.notification.name, "João \"Zé\"");
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for body in ["", "{}", "[]", r#"{"Type":"Notification","Message":"x"}"#] {
            assert!(ReceivedNotification::read(body, None).is_err());
        }
    }
}
