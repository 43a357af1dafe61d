//! The public vectors, read straight from their file.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod check;

const VECTORS: &str = include_str!("boleto-vectors.json");
/// Of rules that the public ones do not cover: worked out by a program of its
/// own, in another language.
const FURTHER: &str = include_str!("further-vectors.json");

#[test]
fn every_vector_passes() {
    let report = check::check_file(VECTORS).unwrap();
    assert_eq!(report.total, 184);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert!(report.unknown.is_empty(), "{:?}", report.unknown);
}

#[test]
fn every_further_vector_passes() {
    let report = check::check_file(FURTHER).unwrap();
    assert_eq!(report.total, 30);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert!(report.unknown.is_empty(), "{:?}", report.unknown);
}

/// A check that never fails shows nothing.
#[test]
fn a_vector_that_expects_something_else_fails_and_is_named() {
    let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    for vector in file["vectors"].as_array().unwrap() {
        let id = vector["id"].as_str().unwrap();
        let wrong = spoiled(vector);
        let file = serde_json::json!({"format": file["format"], "vectors": [wrong]});
        let report = check::check_file(&file.to_string()).unwrap();
        assert_eq!(report.failures.len(), 1, "{id}: {wrong}");
        assert!(report.failures[0].starts_with(id), "{:?}", report.failures);
    }
}

#[test]
fn what_is_not_known_or_not_whole_is_no_pass() {
    let check = |vectors: &str| {
        let text = format!("{{\"format\":\"h-boleto vectors v1\",\"vectors\":[{vectors}]}}");
        check::check_file(&text).unwrap()
    };
    let report = check(r#"{"id":"a","kind":"cheque"},{"id":"b","kind":"cheque"}"#);
    assert_eq!(report.unknown["cheque"], 2);
    let report = check(r#"{"id":"c","kind":"boleto","bank":"001"},{"id":"d","kind":"cpf"}"#);
    assert_eq!(report.failures.len(), 2);
    let report = check(r#"{"id":"e","kind":"cpf","input":"1","expect":{"valid":false,"new":1}}"#);
    assert!(report.failures[0].contains("new: not known here"));
    assert!(check::check_file("{}").is_err());
    assert!(check::check_file("").is_err());
}

#[test]
fn what_no_boleto_can_be_made_of_passes_where_none_is_expected() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let all = vectors["vectors"].as_array().unwrap();
    let boleto = all
        .iter()
        .find(|vector| vector["kind"] == "boleto")
        .unwrap();
    let failures = |due: &str, expect: serde_json::Value| {
        let mut vector = boleto.clone();
        vector["input"]["due_date"] = due.into();
        vector["expect"] = expect;
        let file = serde_json::json!({ "vectors": [vector] });
        check::check_file(&file.to_string()).unwrap().failures.len()
    };
    let none = serde_json::json!({"fator": null, "barcode": null});
    assert_eq!(failures("2049-10-14", none.clone()), 0);
    assert_eq!(failures("2049-10-14", boleto["expect"].clone()), 1);
    assert_eq!(failures("2049-10-13", none), 1);
}

/// The vector with one expectation changed.
fn spoiled(vector: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let mut vector = vector.clone();
    if let Some(Value::Bool(valid)) = vector.get_mut("valid") {
        *valid = !*valid;
        return vector;
    }
    let (_, value) = vector["expect"]
        .as_object_mut()
        .unwrap()
        .iter_mut()
        .find(|(key, _)| *key != "meaning")
        .unwrap();
    *value = match &*value {
        Value::Bool(valid) => Value::Bool(!valid),
        Value::Null => "1997-10-07".into(),
        Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
        _ => "spoiled".into(),
    };
    vector
}
