//! Checks vectors of the format `h-boleto vectors v1`, kind by kind.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use boleto::bank::{
    BancoDoBrasil, Bradesco, Caixa, CaixaModalidade, Itau, ItauCarteira, Santander,
};
use boleto::pix::{BrCode, PixType, StaticPix};
use boleto::{
    Amount, Bank, Barcode, DigitableLine, Digits, Document, DocumentType, DueDateFactor,
    check_digit, itf,
};
use jiff::civil::Date;
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
            "boleto" => boleto(vector, &mut checks),
            "convert" => convert(vector, &mut checks),
            "fator" => factor(vector, &mut checks),
            "fator_read" => factor_read(vector, &mut checks),
            "nosso_numero_dv" => our_number_digit(vector, &mut checks),
            "bb_mod11_9to2" => brasil_digit(vector, &mut checks),
            "caixa_beneficiario_dv" => caixa_digit(vector, &mut checks),
            "cpf" => document(vector, DocumentType::Cpf, &mut checks),
            "cnpj" => document(vector, DocumentType::Cnpj, &mut checks),
            "itf" => bars(vector, &mut checks),
            "pix" => pix(vector, &mut checks),
            "pix_invalid" => pix_invalid(vector, &mut checks),
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

fn text<'a>(of: &'a Value, key: &str) -> Result<&'a str, String> {
    of[key]
        .as_str()
        .ok_or_else(|| format!("the vector has no text `{key}`"))
}

fn read<T: FromStr<Err: Display>>(of: &Value, key: &str) -> Result<T, String> {
    text(of, key)?
        .parse()
        .map_err(|error| format!("{key}: {error}"))
}

fn modalidade(of: &Value) -> Result<CaixaModalidade, String> {
    match text(of, "modalidade")? {
        "14" => Ok(CaixaModalidade::Registered),
        "24" => Ok(CaixaModalidade::Unregistered),
        other => Err(format!("modalidade {other} is not supported")),
    }
}

fn digits<const N: usize>(text: Result<&str, String>) -> Result<Digits<N>, String> {
    text?
        .parse()
        .map_err(|error: boleto::DigitsError| error.to_string())
}

/// The agreement of a vector with its bank. Where the kind leaves something
/// out, `0` stands for it: it is not in what is compared.
fn bank(vector: &Value) -> Result<Box<dyn Bank>, String> {
    let input = &vector["input"];
    let or_zero = |key: &str| {
        if input[key].is_null() {
            Ok("0")
        } else {
            text(input, key)
        }
    };
    Ok(match text(vector, "bank")? {
        "001" => Box::new(BancoDoBrasil {
            agencia: digits(or_zero("agencia"))?,
            conta: digits(or_zero("conta"))?,
            convenio: read(input, "convenio")?,
            carteira: read(input, "carteira")?,
        }),
        "033" => Box::new(Santander {
            agencia: digits(or_zero("agencia"))?,
            beneficiario: digits(or_zero("beneficiario"))?,
            carteira: digits(or_zero("carteira"))?,
        }),
        "104" => Box::new(Caixa {
            agencia: digits(or_zero("agencia"))?,
            beneficiario: digits(or_zero("beneficiario"))?,
            modalidade: modalidade(input)?,
        }),
        "237" => Box::new(Bradesco {
            agencia: digits(or_zero("agencia"))?,
            conta: digits(or_zero("conta"))?,
            carteira: read(input, "carteira")?,
        }),
        "341" => Box::new(Itau {
            agencia: read(input, "agencia")?,
            conta: read(input, "conta")?,
            conta_dac: input
                .get("conta_dac")
                .map(|_| read(input, "conta_dac"))
                .transpose()?,
            carteira: ItauCarteira::new(read(input, "carteira")?)
                .ok_or("the campo livre of this carteira has another layout")?,
        }),
        other => return Err(format!("bank {other} is not supported")),
    })
}

/// The check digit that a slip prints behind the number; none at Banco do
/// Brasil.
fn printed_digit(our_number: &str) -> Option<&str> {
    our_number.split_once('-').map(|(_, digit)| digit)
}

fn boleto(vector: &Value, checks: &mut Checks) -> Checked {
    let input = &vector["input"];
    let bank = bank(vector)?;
    let key = if input["sequencial"].is_null() {
        "nosso_numero"
    } else {
        "sequencial"
    };
    let number = bank
        .number(read(input, key)?)
        .map_err(|error| error.to_string())?;
    let due: Date = read(input, "due_date")?;
    let factor = DueDateFactor::of_date(due).ok_or("the due date has no factor")?;
    let amount = input["amount_cents"]
        .as_i64()
        .ok_or("the vector has no `amount_cents`")?;
    let amount = Amount::from_centavos(amount).map_err(|error| error.to_string())?;
    let barcode = Barcode::compose(bank.code(), factor, amount, &number.free_field);
    let line = barcode.digitable_line();
    let our_number = number.our_number.as_str();
    checks.expect(vector, "fator", Some(factor));
    checks.expect(vector, "campo_livre", Some(number.free_field));
    checks.expect(vector, "barcode", Some(barcode));
    checks.expect(vector, "linha_digitavel", Some(line));
    checks.expect(vector, "linha_digits", Some(line.as_str()));
    checks.expect(vector, "nosso_numero_dv", printed_digit(our_number));
    checks.expect(vector, "nosso_numero_17", Some(our_number));
    checks.hold(line.barcode() == barcode, "the line does not convert back");
    Ok(())
}

fn convert(vector: &Value, checks: &mut Checks) -> Checked {
    let valid = vector["valid"]
        .as_bool()
        .ok_or("the vector has no `valid`")?;
    let line = vector["linha_digits"].as_str().map(DigitableLine::from_str);
    let barcode = vector["barcode"].as_str().map(Barcode::from_str);
    if line.is_none() && barcode.is_none() {
        return Err("the vector has neither line nor barcode".to_owned());
    }
    if !valid {
        checks
            .seen
            .extend(["bank", "fator", "amount_cents", "campo_livre"]);
        checks.hold(
            !matches!(line, Some(Ok(_))),
            "expected an invalid line, got a valid one",
        );
        checks.hold(
            !matches!(barcode, Some(Ok(_))),
            "expected an invalid barcode, got a valid one",
        );
        return Ok(());
    }
    let line = line
        .transpose()
        .map_err(|error| format!("linha_digits: {error}"))?;
    let barcode = barcode
        .transpose()
        .map_err(|error| format!("barcode: {error}"))?;
    if let (Some(line), Some(barcode)) = (line, barcode) {
        checks.hold(
            line.barcode() == barcode,
            &format!("expected barcode {barcode}, got {}", line.barcode()),
        );
        let converted = barcode.digitable_line();
        checks.hold(
            converted == line,
            &format!("expected line {line}, got {converted}"),
        );
    }
    let Some(barcode) = barcode.or_else(|| line.map(|line| line.barcode())) else {
        return Ok(());
    };
    checks.expect(vector, "bank", Some(barcode.bank()));
    checks.expect(vector, "fator", Some(barcode.factor()));
    checks.expect(vector, "amount_cents", Some(barcode.centavos()));
    checks.expect(vector, "campo_livre", Some(barcode.free_field()));
    Ok(())
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

fn our_number_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let number = bank(vector)?.number(read(&vector["input"], "nosso_numero")?);
    let number = number.map_err(|error| error.to_string())?;
    checks.expect(vector, "dv", printed_digit(number.our_number.as_str()));
    Ok(())
}

fn ascii_digits<'a>(of: &'a Value, key: &str) -> Result<&'a [u8], String> {
    let text = text(of, key)?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then_some(text.as_bytes())
        .ok_or_else(|| format!("{key} has more than digits"))
}

fn brasil_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let digit = check_digit::banco_do_brasil(ascii_digits(&vector["input"], "number")?);
    checks.expect(vector, "dv", Some(char::from(digit)));
    Ok(())
}

fn caixa_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let digit = check_digit::modulo_11(ascii_digits(&vector["input"], "beneficiario")?);
    checks.expect(vector, "dv", Some(char::from(digit)));
    Ok(())
}

fn document(vector: &Value, kind: DocumentType, checks: &mut Checks) -> Checked {
    let document = Document::of(text(vector, "input")?);
    checks.expect(vector, "valid", Some(document.kind() == kind));
    Ok(())
}

fn bars(vector: &Value, checks: &mut Checks) -> Checked {
    let digits = ascii_digits(vector, "input")?;
    let elements: Vec<bool> = itf::wide_elements(digits).collect();
    let wide = elements.iter().filter(|wide| **wide).count();
    let narrow = elements.len() - wide;
    let modules: u32 = elements.iter().map(|wide| itf::modules(*wide)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let at_two_and_a_half = wide as f64 * 2.5 + narrow as f64;
    checks.expect(vector, "elements", Some(elements.len()));
    checks.expect(vector, "bars", Some(elements.len().div_ceil(2)));
    checks.expect(vector, "modules_3to1", Some(modules));
    checks.expect(vector, "modules_25to1", Some(at_two_and_a_half));
    checks.expect(vector, "modules_2to1", Some(2 * wide + narrow));
    let bit = |wide: &bool| if *wide { '1' } else { '0' };
    let pair = |pair: &[bool]| pair.iter().map(bit).collect::<String>();
    let symbols = elements[4..elements.len() - 3].chunks(10);
    let pairs: Vec<String> = symbols
        .map(|symbol| symbol.chunks(2).map(pair).collect::<Vec<_>>().join(" "))
        .collect();
    checks.expect(vector, "pairs", Some(pairs.join(" | ")));
    checks.hold(
        !elements[..4].contains(&true),
        "the start is not four narrow elements",
    );
    checks.hold(
        elements.ends_with(&[true, false, false]),
        "the stop is not wide, narrow, narrow",
    );
    Ok(())
}

/// Elements that a static code of ours may have.
const STATIC_IDS: [&str; 12] = [
    "00", "26-00", "26-01", "26-02", "52", "53", "54", "58", "59", "60", "62-05", "63",
];

fn pix(vector: &Value, checks: &mut Checks) -> Checked {
    let input = &vector["input"];
    let payload = text(&vector["expect"], "payload")?;
    let code = BrCode::read(payload).map_err(|error| format!("payload: {error}"))?;
    let kind = match code.pix_type() {
        PixType::Static => "static",
        PixType::Dynamic => "dynamic",
        PixType::RecurrenceOnly => "recurrence-only",
    };
    checks.expect(vector, "type", Some(kind));
    checks.expect(vector, "crc", code.get("63"));
    for (key, id) in [
        ("key", "26-01"),
        ("info", "26-02"),
        ("url", "26-25"),
        ("amount", "54"),
        ("name", "59"),
        ("city", "60"),
        ("txid", "62-05"),
        ("poi", "01"),
    ] {
        let (expected, got) = (input[key].as_str(), code.get(id));
        checks.hold(
            expected == got,
            &format!("{key}: expected {expected:?}, got {got:?}"),
        );
    }
    checks.seen.push("payload");
    // What can be said by a static code of ours must come out the same.
    if kind != "static" || !code.ids().all(|id| STATIC_IDS.contains(&id)) {
        return Ok(());
    }
    let txid = text(input, "txid")?;
    let sayable = txid == "***" || txid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let pix = StaticPix::new(
        read(input, "key")?,
        text(input, "name")?,
        text(input, "city")?,
    );
    if let Some(pix) = pix.filter(|_| sayable) {
        let amount = input["amount"].as_str().map(Amount::from_str).transpose();
        let amount = amount.map_err(|error| error.to_string())?;
        let built = pix.code_with(amount, input["info"].as_str(), txid);
        checks.expect(vector, "payload", Some(built));
    }
    Ok(())
}

fn pix_invalid(vector: &Value, checks: &mut Checks) -> Checked {
    let read = BrCode::read(text(&vector["input"], "payload")?);
    checks.expect(vector, "valid", Some(read.is_ok()));
    Ok(())
}
