use std::borrow::Cow;

use boleto::{Amount, DueDate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DebtRecord, RowId};

/// What `data-process-topic` carries for each billed debt: the body is this
/// as a JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Name of the debtor.
    pub name: String,
    /// Document of the debtor: digits and capital letters.
    pub government_id: String,
    /// Address for the e-mail.
    pub email: String,
    /// What is owed: a JSON number with two decimals.
    #[serde(with = "exact_number")]
    pub debt_amount: Amount,
    /// When it is due: an ISO date.
    #[serde(with = "iso_date")]
    pub debt_due_date: DueDate,
    /// What identifies the debt.
    pub debt_id: String,
    /// The boleto's nosso número. A counterpart may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub our_number: Option<String>,
}

impl Notification {
    /// The notification of a debt billed under that nosso número.
    pub fn new(record: DebtRecord, our_number: String) -> Self {
        Self {
            name: record.name,
            government_id: record.government_id,
            email: record.email,
            debt_amount: record.amount,
            debt_due_date: record.due_date,
            debt_id: record.debt_id,
            our_number: Some(our_number),
        }
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
        match serde_json::from_str::<Envelope>(body) {
            Ok(envelope) if envelope.kind == "Notification" => Ok(Self {
                notification: serde_json::from_str(&envelope.message)?,
                row: RowId::from_attributes(
                    envelope.attributes.import_id.as_ref().map(|a| &*a.value),
                    envelope.attributes.row.as_ref().map(|a| &*a.value),
                ),
            }),
            _ => Ok(Self {
                notification: serde_json::from_str(body)?,
                row,
            }),
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BODY: &str = r#"{"name":"João \"Zé\"","government_id":"00123","email":"ze@example.com","debt_amount":7811.00,"debt_due_date":"2024-01-19","debt_id":"17","our_number":"31285570000000001"}"#;

    fn notification() -> Notification {
        Notification {
            name: "João \"Zé\"".into(),
            government_id: "00123".into(),
            email: "ze@example.com".into(),
            debt_amount: "7811".parse().unwrap(),
            debt_due_date: "2024-01-19".parse().unwrap(),
            debt_id: "17".into(),
            our_number: Some("31285570000000001".into()),
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
        assert_eq!(received.row, None);
    }

    #[test]
    fn anything_else_is_an_error() {
        for body in ["", "{}", "[]", r#"{"Type":"Notification","Message":"x"}"#] {
            assert!(ReceivedNotification::read(body, None).is_err());
        }
    }
}
