use uuid::Uuid;

use super::super::OptionalColumn;
use super::*;

const BODY: &str = r#"{"name":"João \"Zé\"","government_id":"00123","email":"ze@example.com","debt_amount":7811.00,"debt_due_date":"2024-01-19","debt_id":"17","document_type":"unverified","our_number":"31285570000000001","bank":"001","barcode":"00191960000007811000000003128557000000000117","digitable_line":"00190000090312855700000000001172196000000781100","beneficiary":"Empresa","issuer":"00000000000000ff","issued_on":"2026-11-24","pix":"000201"}"#;

fn notification() -> Notification {
    Notification {
        name: "João \"Zé\"".into(),
        government_id: "00123".into(),
        email: "ze@example.com".into(),
        revision: 0,
        debt_amount: "7811".parse().unwrap(),
        debt_due_date: "2024-01-19".parse().unwrap(),
        debt_id: "17".into(),
        columns: OptionalFields::default(),
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
fn a_changed_address_is_another_revision_of_the_same_debt() {
    let changed = notification().readdressed("jo@example.org".into());
    let body = serde_json::to_string(&changed).unwrap();
    let expected = BODY.replace(
        r#""email":"ze@example.com""#,
        r#""email":"jo@example.org","email_revision":1"#,
    );
    assert_eq!(body, expected);
    assert_eq!(read(&body), changed);
    // What else a counterpart may have there is its own business.
    for other in [r#""2""#, "-1", "1.5", "null", "[1]"] {
        let body = body.replace(
            r#""email_revision":1"#,
            &format!(r#""email_revision":{other}"#),
        );
        assert_eq!(read(&body).revision, 0, "{other}");
    }
}

#[test]
fn an_erased_debt_keeps_its_numbers_and_nothing_of_its_debtor() {
    let mut billed = notification().readdressed("jo@example.org".into());
    billed.columns.put(OptionalColumn::Phone, "11 98765-4321");
    assert!(!billed.is_erased());
    let erased = billed.clone().erased();
    let body = serde_json::to_string(&erased).unwrap();
    assert_eq!(read(&body), erased);
    assert!(read(&body).is_erased());
    let expected = BODY.replace(
        r#""name":"João \"Zé\"","government_id":"00123","email":"ze@example.com""#,
        r#""name":"","government_id":"","email":"","email_revision":1"#,
    );
    assert_eq!(body, expected);
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
fn the_optional_columns_come_as_an_object_of_their_own() {
    let mut with_phone = notification();
    with_phone
        .columns
        .put(OptionalColumn::Phone, "+55 11 91234-5678");
    let body = serde_json::to_string(&with_phone).unwrap();
    let columns = r#","columns":{"phone":"+55 11 91234-5678"},"document_type""#;
    assert_eq!(body, BODY.replace(r#","document_type""#, columns));
    assert_eq!(read(&body), with_phone);
    for other in ["null", "7", "[]", r#""phone""#, r#"{"phone":7,"x":null}"#] {
        let body = body.replace(r#"{"phone":"+55 11 91234-5678"}"#, other);
        assert_eq!(read(&body), notification(), "{other}");
    }
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

/// What the first version publishes.
const FIRST_VERSION: &str = r#"{"name": "Ana Prado", "government_id": 6048, "email": "ana.prado@example.org", "debt_amount": 4476.0, "debt_due_date": "2026-05-14", "debt_id": "fv-1"}"#;

fn read(body: &str) -> Notification {
    let received = ReceivedNotification::read(body, None);
    received
        .unwrap_or_else(|e| panic!("{body}: {e}"))
        .notification
}

/// The first version's notification with another value for a key.
fn with(key: &str, value: &str) -> String {
    let start = format!("\"{key}\": ");
    let (before, rest) = FIRST_VERSION.split_once(&start).unwrap();
    let behind = rest.find([',', '}']).unwrap();
    format!("{before}{start}{value}{}", &rest[behind..])
}

#[test]
fn what_the_first_version_publishes_is_read() {
    let notification = Notification {
        name: "Ana Prado".into(),
        government_id: "6048".into(),
        email: "ana.prado@example.org".into(),
        revision: 0,
        debt_amount: "4476".parse().unwrap(),
        debt_due_date: jiff::civil::date(2026, 5, 14),
        debt_id: "fv-1".into(),
        columns: OptionalFields::default(),
        boleto: None,
    };
    assert_eq!(read(FIRST_VERSION), notification);
    assert_eq!(read(&format!("\u{feff}{FIRST_VERSION}\n")), notification);
    for attributes in [
        r"null",
        r"{}",
        r"[]",
        r"7",
        r#""none""#,
        r#"{"trace": null, "tags": [{"Value": 1}], "row": {"Type": "Number", "Value": "3"}}"#,
        r#"{"import_id": null, "row": 3}"#,
        r#"{"import_id": {"Type": "Binary", "Value": "AAE="}, "row": {"Value": [1]}}"#,
        r#"{"import_id": {}, "import_id": {}}"#,
    ] {
        let message = serde_json::to_string(FIRST_VERSION).unwrap();
        let envelope = format!(
            r#"{{"MessageAttributes": {attributes}, "Subject": null, "Message": {message}, "Type": "Notification"}}"#
        );
        let received = ReceivedNotification::read(&envelope, None).unwrap();
        assert_eq!(received.notification, notification, "{attributes}");
        assert_eq!(received.row, None, "{attributes}");
    }
}

#[test]
fn attributes_of_others_do_not_hide_ours() {
    let import_id = Uuid::from_u128(7);
    let message = serde_json::to_string(FIRST_VERSION).unwrap();
    let envelope = format!(
        r#"{{"Type":"Notification","Message":{message},"MessageAttributes":{{"a":1,"row":{{"Value":"3","Type":7}},"import_id":{{"Value":"{import_id}"}},"b":{{"Value":{{}}}}}}}}"#
    );
    let received = ReceivedNotification::read(&envelope, None).unwrap();
    assert_eq!(received.row, Some(RowId { import_id, row: 3 }));
    assert_eq!(envelope_attribute(&envelope, "row").as_deref(), Some("3"));
    for (body, name) in [(&*envelope, "b"), (&envelope, "none"), (BODY, "row")] {
        assert_eq!(envelope_attribute(body, name), None, "{name}");
    }
}

#[test]
fn ids_are_texts_or_integers_and_keep_every_digit() {
    for (value, text) in [
        ("6048", "6048"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("\"00123456789012345678901\"", "00123456789012345678901"),
        ("0", "0"),
        ("-7", "-7"),
        (r#""a\u00e3b""#, "aãb"),
    ] {
        assert_eq!(read(&with("government_id", value)).government_id, text);
        assert_eq!(read(&with("debt_id", value)).debt_id, text);
    }
    // As the keys of the ledger have it.
    assert_eq!(read(&with("debt_id", "\" fv-1\\n\"")).debt_id, "fv-1");
}

#[test]
fn an_amount_is_any_number_of_whole_centavos_or_its_text() {
    for number in [
        "4476",
        "4476.0",
        "4476.00",
        "4476.0000",
        "4.476e3",
        "447600E-2",
    ] {
        for value in [number.to_owned(), format!("\"{number}\"")] {
            let read = read(&with("debt_amount", &value));
            assert_eq!(read.debt_amount.centavos(), 447_600, "{value}");
        }
    }
}

#[test]
fn a_due_date_needs_no_factor() {
    for (value, date) in [
        ("\"2026-05-14\"", "2026-05-14"),
        ("\" 2026-05-14 \"", "2026-05-14"),
        (r#""2026\u002d05-14""#, "2026-05-14"),
        ("\"2026-05-14T00:00:00\"", "2026-05-14"),
        ("\"1999-12-31\"", "1999-12-31"),
        ("\"2061-01-01\"", "2061-01-01"),
    ] {
        let read = read(&with("debt_due_date", value));
        assert_eq!(read.debt_due_date.to_string(), date);
    }
}

#[test]
fn keys_come_in_any_order_and_others_hold_anything() {
    let body = r#"{"x":[{"y":null}],"debt_id":17,"email":"a@b.co","lone":"\ud800","debt_due_date":"2026-05-14","nul":"\u0000","name":"n\u0000","x":{},"debt_amount":"1.5","government_id":"1","bank":1e400}"#;
    let read = read(body);
    assert_eq!((&*read.debt_id, &*read.name), ("17", "n\0"));
    assert_eq!(read.debt_amount.centavos(), 150);
}

#[test]
fn anything_else_is_an_error() {
    let bodies = ["", "{}", "[]", r#"{"Type":"Notification","Message":"x"}"#];
    let broken = bodies.map(str::to_owned).into_iter().chain(
        [
            ("name", "null"),
            ("name", "7"),
            // Half a character: whose name, and which debt, nobody knows.
            ("name", r#""a\ud800""#),
            ("debt_id", r#""a\ud800""#),
            ("debt_id", "\"  \""),
            ("debt_id", "null"),
            ("debt_id", "true"),
            ("debt_id", "17.0"),
            ("debt_id", "1e3"),
            ("government_id", "null"),
            ("government_id", "[]"),
            ("government_id", "1.5"),
            ("debt_amount", "null"),
            ("debt_amount", "true"),
            ("debt_amount", "0"),
            ("debt_amount", "-1.00"),
            ("debt_amount", "0.001"),
            ("debt_amount", "100000000"),
            ("debt_amount", "\"1,50\""),
            ("debt_amount", "\"R$ 1.50\""),
            ("debt_amount", "\"\""),
            ("debt_due_date", "20260514"),
            ("debt_due_date", "\"14/05/2026\""),
            ("debt_due_date", "\"2026-02-30\""),
            // Two amounts: neither is sure.
            ("name", r#""n", "debt_amount": 1"#),
        ]
        .map(|(key, value)| with(key, value)),
    );
    for body in broken {
        assert!(ReceivedNotification::read(&body, None).is_err(), "{body}");
    }
    for key in [
        "name",
        "government_id",
        "email",
        "debt_amount",
        "debt_due_date",
        "debt_id",
    ] {
        let body = FIRST_VERSION.replace(key, "other");
        assert!(ReceivedNotification::read(&body, None).is_err(), "{body}");
    }
}
