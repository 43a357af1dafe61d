//! What the banks give: numbers, their check digits, whole boletos.

use std::borrow::Cow;

use boleto::bank::{
    BancoDoBrasil, Bradesco, Caixa, CaixaBeneficiaryError, CaixaModalidade, Itau, ItauCarteira,
    Santander,
};
use boleto::{Amount, Bank, Barcode, Digits, DueDateFactor, check_digit};
use jiff::civil::Date;
use serde_json::Value;

use super::{Checked, Checks, ascii_digits, read, text};

fn modalidade(of: &Value) -> Result<CaixaModalidade, String> {
    match &*text(of, "modalidade")? {
        "14" => Ok(CaixaModalidade::Registered),
        "24" => Ok(CaixaModalidade::Unregistered),
        other => Err(format!("modalidade {other} is not supported")),
    }
}

fn digits<const N: usize>(text: Result<Cow<'_, str>, String>) -> Result<Digits<N>, String> {
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
            Ok(Cow::Borrowed("0"))
        } else {
            text(input, key)
        }
    };
    Ok(match &*text(vector, "bank")? {
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
            beneficiario: or_zero("beneficiario")?
                .parse()
                .map_err(|error: CaixaBeneficiaryError| error.to_string())?,
            modalidade: modalidade(input)?,
        }),
        "237" => Box::new(Bradesco {
            agencia: digits(or_zero("agencia"))?,
            agencia_digito: None,
            conta: digits(or_zero("conta"))?,
            conta_digito: None,
            carteira: read(input, "carteira")?,
        }),
        "341" => Box::new(Itau {
            agencia: read(input, "agencia")?,
            conta: read(input, "conta")?,
            conta_dac: input
                .get("conta_dac")
                .filter(|dac| !dac.is_null())
                .map(|_| read(input, "conta_dac"))
                .transpose()?,
            carteira: ItauCarteira::new(read(input, "carteira")?)
                .map_err(|error| error.to_string())?,
        }),
        other => return Err(format!("bank {other} is not supported")),
    })
}

/// The check digit that a slip prints behind the number; none at Banco do
/// Brasil.
fn printed_digit(our_number: &str) -> Option<&str> {
    our_number.split_once('-').map(|(_, digit)| digit)
}

/// What no boleto can be made of is right where the vector expects none.
pub(super) fn boleto(vector: &Value, checks: &mut Checks) -> Checked {
    let expects_none =
        vector["valid"] == false || vector["expect"].get("barcode").is_some_and(Value::is_null);
    let made = issued(vector, checks);
    if !expects_none {
        return made;
    }
    let made = made.is_ok();
    *checks = Checks::default();
    let keys = vector["expect"].as_object().into_iter().flatten();
    let filled: Vec<_> = keys.filter(|(_, value)| !value.is_null()).collect();
    checks.hold(!made, "expected no boleto, got one");
    checks.hold(
        filled.is_empty(),
        "it expects both no barcode and a part of it",
    );
    checks.seen.extend(PARTS);
    Ok(())
}

/// What is expected of a boleto.
const PARTS: [&str; 7] = [
    "fator",
    "campo_livre",
    "barcode",
    "linha_digitavel",
    "linha_digits",
    "nosso_numero_dv",
    "nosso_numero_17",
];

fn issued(vector: &Value, checks: &mut Checks) -> Checked {
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
    let amount =
        Amount::from_centavos(read(input, "amount_cents")?).map_err(|error| error.to_string())?;
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

pub(super) fn our_number_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let number = bank(vector)?.number(read(&vector["input"], "nosso_numero")?);
    let number = number.map_err(|error| error.to_string())?;
    checks.expect(vector, "dv", printed_digit(number.our_number.as_str()));
    Ok(())
}

pub(super) fn brasil_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let digit = check_digit::banco_do_brasil(ascii_digits(&vector["input"], "number")?.as_bytes());
    checks.expect(vector, "dv", Some(char::from(digit)));
    Ok(())
}

pub(super) fn caixa_digit(vector: &Value, checks: &mut Checks) -> Checked {
    let digit = check_digit::modulo_11(ascii_digits(&vector["input"], "beneficiario")?.as_bytes());
    checks.expect(vector, "dv", Some(char::from(digit)));
    Ok(())
}
