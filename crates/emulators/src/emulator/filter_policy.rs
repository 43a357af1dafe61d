//! Which messages of a topic a subscriber wants, by their attributes
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::message::{Attributes, MessageAttribute};

/// Every attribute that it names must meet one of its conditions.
///
/// Of what SNS has, ranges of numbers and rules for the body cannot be read.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct FilterPolicy(BTreeMap<String, Vec<Condition>>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Condition {
    Text(String),
    Number(f64),
    Rule(Rule),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    Prefix(String),
    Suffix(String),
    Exists(bool),
    AnythingBut(Texts),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    More(Vec<String>),
}

impl FilterPolicy {
    pub(super) fn wants(&self, attributes: &Attributes) -> bool {
        self.0.iter().all(|(name, conditions)| {
            let attribute = attributes.get(name.as_str());
            conditions
                .iter()
                .any(|condition| condition.is_met_by(attribute))
        })
    }
}

impl Condition {
    fn is_met_by(&self, attribute: Option<&MessageAttribute>) -> bool {
        if let Self::Rule(Rule::Exists(exists)) = self {
            return attribute.is_some() == *exists;
        }
        let Some((attribute, value)) =
            attribute.and_then(|attribute| Some((attribute, attribute.string_value.as_deref()?)))
        else {
            return false;
        };
        let is_number = attribute.data_type.starts_with("Number");
        match self {
            Self::Text(text) => !is_number && value == text,
            Self::Number(number) => is_number && value.parse() == Ok(*number),
            Self::Rule(Rule::Prefix(start)) => value.starts_with(start.as_str()),
            Self::Rule(Rule::Suffix(end)) => value.ends_with(end.as_str()),
            Self::Rule(Rule::AnythingBut(Texts::One(text))) => value != text,
            Self::Rule(Rule::AnythingBut(Texts::More(texts))) => {
                texts.iter().all(|text| value != text)
            }
            Self::Rule(Rule::Exists(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attribute_must_meet_one_of_its_conditions() {
        let attribute = |data_type: &str, value: &str| MessageAttribute {
            data_type: data_type.into(),
            string_value: Some(value.into()),
            binary_value: None,
        };
        let mut attributes = Attributes::new();
        attributes.insert("event_type".into(), attribute("String", "billing.issued"));
        attributes.insert("row".into(), attribute("Number", "12"));
        for (policy, wants) in [
            (r#"{"event_type":["billing.issued"]}"#, true),
            (r#"{"event_type":["billing.paid","billing.issued"]}"#, true),
            (r#"{"event_type":["billing.paid"]}"#, false),
            (r#"{"event_type":["billing.issued"],"row":[13]}"#, false),
            (r#"{"event_type":["billing.issued"],"row":[12.0]}"#, true),
            (r#"{"row":["12"]}"#, false),
            (r#"{"event_type":[{"prefix":"billing."}]}"#, true),
            (r#"{"event_type":[{"suffix":".paid"}]}"#, false),
            (
                r#"{"event_type":[{"anything-but":"billing.issued"}]}"#,
                false,
            ),
            (r#"{"event_type":[{"anything-but":["a","b"]}]}"#, true),
            (r#"{"import_id":[{"exists":false}]}"#, true),
            (r#"{"import_id":[{"anything-but":"a"}]}"#, false),
            ("{}", true),
        ] {
            let policy_read: FilterPolicy = serde_json::from_str(policy).unwrap();
            assert_eq!(policy_read.wants(&attributes), wants, "{policy}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for policy in [
            "[]",
            r#"{"row":[{"numeric":[">",1]}]}"#,
            r#"{"row":12}"#,
            r#"{"row":[null]}"#,
        ] {
            assert!(
                serde_json::from_str::<FilterPolicy>(policy).is_err(),
                "{policy}"
            );
        }
    }
}
