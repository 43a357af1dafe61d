//! Codes that are read or drawn: lines and barcodes, bars, PIX.

use std::str::FromStr;

use boleto::pix::{BrCode, PixType, StaticPix};
use boleto::{Amount, Barcode, DigitableLine, itf};
use serde_json::Value;

use super::{Checked, Checks, ascii_digits, read, text};

pub(super) fn convert(vector: &Value, checks: &mut Checks) -> Checked {
    let valid = vector["valid"]
        .as_bool()
        .ok_or("the vector has no `valid`")?;
    let line = vector["linha_digits"].as_str().map(DigitableLine::from_str);
    let barcode = vector["barcode"].as_str().map(Barcode::from_str);
    if line.is_none() && barcode.is_none() {
        return Err("the vector has neither line nor barcode".to_owned());
    }
    if !valid {
        let (line, barcode) = (line.transpose(), barcode.transpose());
        let holds = match (line, barcode) {
            (Ok(Some(line)), Ok(Some(barcode))) => line.barcode() == barcode,
            (Ok(_), Ok(_)) => true,
            _ => false,
        };
        checks.hold(!holds, "expected an invalid one, got a valid one");
        checks
            .seen
            .extend(["bank", "fator", "amount_cents", "campo_livre"]);
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

pub(super) fn bars(vector: &Value, checks: &mut Checks) -> Checked {
    let digits = ascii_digits(vector, "input")?;
    let elements: Vec<bool> = itf::wide_elements(digits.as_bytes()).collect();
    let wide = elements.iter().filter(|wide| **wide).count();
    let narrow = elements.len() - wide;
    let modules: u16 = elements.iter().map(|wide| itf::modules(*wide)).sum();
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

pub(super) fn pix(vector: &Value, checks: &mut Checks) -> Checked {
    let input = &vector["input"];
    let payload = text(&vector["expect"], "payload")?;
    let code = BrCode::read(&payload).map_err(|error| format!("payload: {error}"))?;
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
        &text(input, "name")?,
        &text(input, "city")?,
    );
    if let Some(pix) = pix.filter(|_| sayable) {
        let amount = input["amount"].as_str().map(Amount::from_str).transpose();
        let amount = amount.map_err(|error| error.to_string())?;
        let built = pix.code_with(amount, input["info"].as_str(), &txid);
        checks.expect(vector, "payload", Some(built));
    }
    Ok(())
}

pub(super) fn pix_invalid(vector: &Value, checks: &mut Checks) -> Checked {
    let read = BrCode::read(&text(&vector["input"], "payload")?);
    checks.expect(vector, "valid", Some(read.is_ok()));
    Ok(())
}
