//! Checks vectors of the format `h-boleto vectors v1`, kind by kind.

mod banks;
mod codes;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use boleto::{Document, DocumentType, DueDateFactor};
use serde_json::Value;

/// What came of a file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Vectors of the file.
    pub(crate) total: usize,
    /// Each vector that failed: its id, what it expects, what it got.
    pub(crate) failures: Vec<String>,
    /// Vectors of each kind that is not known here.
    pub(crate) unknown: BTreeMap<String, usize>,
}

/// Checks every vector of a file.
pub(crate) fn check_file(text: &str) -> Result<Report, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let vectors = file["vectors"]
        .as_array()
        .ok_or("it has no list `vectors`")?;
    let mut report = Report {
        total: vectors.len(),
        ..Report::default()
    };
    for vector in vectors {
        let id = vector["id"].as_str().unwrap_or("(no id)");
        let kind = vector["kind"].as_str().unwrap_or("(no kind)");
        let mut checks = Checks::default();
        let known = match kind {
            "boleto" => banks::boleto(vector, &mut checks),
            "convert" => codes::convert(vector, &mut checks),
            "fator" => factor(vector, &mut checks),
            "fator_read" => factor_read(vector, &mut checks),
            "nosso_numero_dv" => banks::our_number_digit(vector, &mut checks),
            "bb_mod11_9to2" => banks::brasil_digit(vector, &mut checks),
            "caixa_beneficiario_dv" => banks::caixa_digit(vector, &mut checks),
            "cpf" => document(vector, DocumentType::Cpf, &mut checks),
            "cnpj" => document(vector, DocumentType::Cnpj, &mut checks),
            "itf" => codes::bars(vector, &mut checks),
            "pix" => codes::pix(vector, &mut checks),
            "pix_invalid" => codes::pix_invalid(vector, &mut checks),
            _ => {
                *report.unknown.entry(kind.to_owned()).or_default() += 1;
                continue;
            }
        };
        match known {
            Err(error) => checks.failed.push(error),
            Ok(()) => checks.complete(vector),
        }
        if !checks.failed.is_empty() {
            report
                .failures
                .push(format!("{id} ({kind}): {}", checks.failed.join("; ")));
        }
    }
    Ok(report)
}

type Checked = Result<(), String>;

/// What differs in one vector, and which of its expectations were looked at.
#[derive(Default)]
struct Checks {
    failed: Vec<String>,
    seen: Vec<&'static str>,
}

/// Expectations that are an explanation for people.
const REMARKS: [&str; 1] = ["meaning"];

impl Checks {
    /// Compares with an entry of `expect`, where the vector has it.
    fn expect(&mut self, vector: &Value, key: &'static str, got: Option<impl Display>) {
        self.seen.push(key);
        let Some(expected) = vector["expect"].get(key) else {
            return;
        };
        let got = got.map(|got| got.to_string());
        let expected = match expected {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        if got != expected {
            let shown = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
            self.failed.push(format!(
                "{key}: expected {}, got {}",
                shown(expected),
                shown(got)
            ));
        }
    }

    /// What nobody looked at has not passed.
    fn complete(&mut self, vector: &Value) {
        let keys = vector["expect"].as_object().into_iter().flatten();
        for (key, _) in keys {
            if !self.seen.contains(&&**key) && !REMARKS.contains(&&**key) {
                self.failed.push(format!("{key}: not known here"));
            }
        }
    }

    fn hold(&mut self, holds: bool, what: &str) {
        if !holds {
            self.failed.push(what.to_owned());
        }
    }
}

/// A text, or a number as its digits.
fn text<'a>(of: &'a Value, key: &str) -> Result<Cow<'a, str>, String> {
    match &of[key] {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        _ => Err(format!("the vector has no text `{key}`")),
    }
}

fn read<T: FromStr<Err: Display>>(of: &Value, key: &str) -> Result<T, String> {
    text(of, key)?
        .parse()
        .map_err(|error| format!("{key}: {error}"))
}

fn factor(vector: &Value, checks: &mut Checks) -> Checked {
    let factor = DueDateFactor::of_date(read(&vector["input"], "due_date")?);
    checks.expect(vector, "fator", factor);
    Ok(())
}

fn factor_read(vector: &Value, checks: &mut Checks) -> Checked {
    let input = &vector["input"];
    let factor = DueDateFactor::new(read(input, "fator")?).ok_or("a factor has four digits")?;
    checks.expect(
        vector,
        "due_date",
        factor.date_as_read_on(read(input, "today")?),
    );
    Ok(())
}

fn ascii_digits<'a>(of: &'a Value, key: &str) -> Result<Cow<'a, str>, String> {
    let text = text(of, key)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(format!("{key} has more than digits"))
    }
}

fn document(vector: &Value, kind: DocumentType, checks: &mut Checks) -> Checked {
    let document = Document::of(&text(vector, "input")?);
    checks.expect(vector, "valid", Some(document.kind() == kind));
    Ok(())
}
