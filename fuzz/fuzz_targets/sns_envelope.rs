//! Any body of a `process-email` message: nothing panics, and a notification reads the same with
//! and without the envelope of SNS.

#![no_main]

use arbitrary::Arbitrary;
use boleto::Amount;
use contract::{DebtRecord, Notification, OptionalFields, ReceivedNotification, RowId};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

#[derive(Debug, Arbitrary)]
enum Body<'a> {
    /// As it comes.
    Text(&'a str),
    /// Anything in an envelope.
    Enveloped {
        kind: &'a str,
        message: &'a str,
        import_id: &'a str,
        row: &'a str,
    },
    /// A notification, with any text in it.
    Notification {
        name: &'a str,
        government_id: &'a str,
        email: &'a str,
        centavos: u32,
        debt_id: &'a str,
        import_id: u128,
        row: u64,
    },
}

fn envelope(kind: &str, message: &str, import_id: &str, row: &str) -> String {
    json!({
        "Type": kind,
        "MessageId": "0",
        "Message": message,
        "MessageAttributes": {
            "import_id": { "Type": "String", "Value": import_id },
            "row": { "Type": "Number", "Value": row },
        },
    })
    .to_string()
}

fn assert_same_in_an_envelope(notification: &Notification, row: RowId) {
    let raw = serde_json::to_string(notification).expect("it is JSON");
    let (import_id, number) = (row.import_id.to_string(), row.row.to_string());
    let enveloped = envelope("Notification", &raw, &import_id, &number);
    let read = |body: &str, row| {
        let received = ReceivedNotification::read(body, row).expect("it is a notification");
        (received.notification, received.row)
    };

    let expected = (notification.clone(), Some(row));
    assert_eq!(read(&raw, Some(row)), expected);
    assert_eq!(read(&enveloped, None), expected);
}

fuzz_target!(|body: Body<'_>| match body {
    Body::Text(text) => {
        let _ = ReceivedNotification::read(text, None);
    }
    Body::Enveloped {
        kind,
        message,
        import_id,
        row,
    } => {
        let _ = ReceivedNotification::read(&envelope(kind, message, import_id, row), None);
    }
    Body::Notification {
        name,
        government_id,
        email,
        centavos,
        debt_id,
        import_id,
        row,
    } => {
        let import_id = format!("{import_id:032x}");
        let row = RowId::from_attributes(Some(&import_id), Some(&row.to_string()));
        let amount = Amount::from_centavos(i64::from(centavos));
        // As a record has it; a notification without an id is none.
        let debt_id = debt_id.trim();
        if let (Ok(amount), Some(row), false) = (amount, row, debt_id.is_empty()) {
            let record = DebtRecord {
                name: name.to_owned(),
                government_id: government_id.to_owned(),
                email: email.to_owned(),
                amount,
                due_date: "2027-03-15".parse().expect("a date"),
                debt_id: debt_id.to_owned(),
                columns: OptionalFields::default(),
            };
            assert_same_in_an_envelope(&Notification::of(record), row);
        }
    }
});
