//! The published schema of a notification, against what is really written.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use contract::{Notification, OptionalColumn, read_record};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../docs/billing-notification.schema.json");

fn schema() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let name = "urn:billing-suite:billing-notification";
    compiler.add_resource(name, schema).unwrap();
    let index = compiler.compile(name, &mut schemas).unwrap();
    (schemas, index)
}

fn is_valid(notification: &Value) -> bool {
    let (schemas, index) = schema();
    schemas.validate(notification, index).is_ok()
}

fn written(notification: &Notification) -> Value {
    serde_json::to_value(notification).unwrap()
}

fn billed() -> Value {
    let mut notification = testkit::billed("debt-1", 777).readdressed("jo@example.com".into());
    for column in OptionalColumn::ALL {
        notification.columns.put(column, "+55 11 91234-5678");
    }
    if let Some(boleto) = &mut notification.boleto {
        boleto.pix = Some("000201…63041D3D".into());
    }
    written(&notification)
}

#[test]
fn what_is_written_is_valid_and_the_schema_knows_every_key() {
    let notification = billed();
    assert!(is_valid(&notification), "{notification:#}");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let known = schema["properties"].as_object().unwrap();
    let keys = notification.as_object().unwrap();
    assert!(keys.keys().eq(known.keys()), "{keys:#?}");
    let known = schema["properties"]["columns"]["properties"].as_object();
    let columns = notification["columns"].as_object().unwrap();
    assert!(columns.keys().eq(known.unwrap().keys()), "{columns:#?}");
}

#[test]
fn the_contracts_own_keys_are_enough_and_none_may_miss() {
    let record = read_record("Zé,9558,ze@example.com,7,2027-01-31,17");
    let least = written(&Notification::of(record.unwrap()));
    assert!(is_valid(&least), "{least:#}");
    for key in [
        "name",
        "government_id",
        "email",
        "debt_amount",
        "debt_due_date",
        "debt_id",
    ] {
        let mut without = least.clone();
        without.as_object_mut().unwrap().remove(key);
        assert!(!is_valid(&without), "{key}");
    }
}

#[test]
fn what_is_in_another_form_is_not_valid() {
    for (key, value) in [
        ("debt_amount", json!("7.00")),
        ("debt_amount", json!(0)),
        ("debt_due_date", json!("31/01/2027")),
        ("government_id", json!("529.982.247-25")),
        ("document_type", json!("rg")),
        ("our_number", json!(17)),
        ("barcode", json!("001")),
        ("digitable_line", json!("00190.00009")),
        ("issuer", json!("demonstration")),
        ("issued_on", json!("yesterday")),
        ("pix", json!("pix")),
    ] {
        let mut notification = billed();
        notification[key] = value.clone();
        assert!(!is_valid(&notification), "{key} = {value}");
    }
    for key in ["our_number", "digitable_line", "issuer", "issued_on"] {
        let mut notification = billed();
        notification.as_object_mut().unwrap().remove(key);
        assert!(!is_valid(&notification), "without {key}");
    }
}

/// Each bank's way to print its number.
#[test]
fn the_numbers_of_all_banks_fit() {
    for number in [
        "31285570000000777",
        "09/12345678901-P",
        "109/98712345-2",
        "123456789012-3",
    ] {
        let mut notification = billed();
        notification["our_number"] = number.into();
        assert!(is_valid(&notification), "{number}");
    }
}
