//! The issuer's file: what is taken of it, and what is refused.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use boleto::{Agreement, Boleto, IssuerFileError};

const DEMONSTRATION: &str = include_str!("../src/demonstration.toml");

const BANK: &str = "code = \"001\"\nagencia = \"452\"\nconta = \"123873\"\nconvenio = \"3128557\"\ncarteira = \"17\"\n";

/// The demonstration with other texts.
fn with(lines: &[(&str, &str)]) -> Result<Agreement, IssuerFileError> {
    let mut text = DEMONSTRATION.to_owned();
    for (from, to) in lines {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Agreement::from_toml(&text)
}

/// The demonstration in another bank.
fn in_bank(bank: &str) -> Result<Agreement, IssuerFileError> {
    with(&[(BANK, bank)])
}

#[test]
fn what_is_wrong_is_said() {
    for (from, to, said) in [
        ("code = \"001\"", "code = \"999\"", "999"),
        ("\"3128557\"", "\"31285570\"", "1 to 7 digits"),
        ("carteira", "carteria", "carteria"),
        ("\"17\"", "17", "string"),
        ("document = \"", "document = \"1", "not a valid CPF or CNPJ"),
        (
            "instructions = [",
            "instructions = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",",
            "room for 5",
        ),
        ("registered = false", "", "registered"),
        ("\"3128557\"", "\"312855\"", "7 digits"),
        (
            BANK,
            "code = \"104\"\nagencia = \"1\"\nbeneficiario = \"2\"\nmodalidade = \"15\"\n",
            "15",
        ),
    ] {
        let error = with(&[(from, to)]).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    let error = with(&[(BANK, &format!("{BANK}[pix]\nkey = \"no key\"\n"))]).unwrap_err();
    assert!(error.to_string().contains("PIX key"), "{error}");
    let key = "key = \"cobranca@example.com\"";
    let pix = format!("{BANK}[pix]\n{key}\nname = \"Another\"\n");
    let error = with(&[(BANK, &pix)]).unwrap_err();
    assert!(
        error.to_string().contains("unknown field `name`"),
        "{error}"
    );
}

#[test]
fn the_slip_names_the_account_as_its_bank_asks() {
    for (bank, account) in [
        (BANK, "0452-9/123873-6"),
        (
            "code = '033'\nagencia = '1'\nbeneficiario = '707077'\ncarteira = '101'\n",
            "0001/0707077",
        ),
        (
            "code = '104'\nagencia = '1'\nbeneficiario = '5507'\nmodalidade = '14'\n",
            "0001/005507-7",
        ),
        (
            "code = '104'\nagencia = '1'\nbeneficiario = '1100000'\nmodalidade = '14'\n",
            "0001/1100000",
        ),
        (
            "code = '237'\nagencia = '1234'\nagencia_digito = '5'\nconta = '6580'\n\
             conta_digito = '4'\ncarteira = '09'\n",
            "1234-5/0006580-4",
        ),
        (
            "code = '237'\nagencia = '1234'\nagencia_digito = 'P'\nconta = '6580'\n\
             conta_digito = 'P'\ncarteira = '09'\n",
            "1234-P/0006580-P",
        ),
        (
            "code = '341'\nagencia = '57'\nconta = '72192'\nconta_dac = '2'\ncarteira = '109'\n",
            "0057/72192-2",
        ),
    ] {
        let agreement = in_bank(bank).unwrap();
        assert_eq!(agreement.bank().branch_and_account(), account);
    }
}

#[test]
fn a_carteira_of_itau_whose_numbers_are_not_the_company_s_is_refused() {
    let itau = |carteira: &str| {
        in_bank(&format!(
            "code = '341'\nagencia = '57'\nconta = '72192'\ncarteira = '{carteira}'\n"
        ))
    };
    for (carteiras, said) in [
        (
            &["106", "107", "122", "142", "143", "195", "196", "198"],
            "15 digits",
        ),
        (
            &["104", "105", "112", "113", "147", "166", "188", "212"],
            "escritural",
        ),
    ] {
        for carteira in carteiras {
            let error = itau(carteira).unwrap_err().to_string();
            assert!(error.contains(carteira) && error.contains(said), "{error}");
        }
    }
    for carteira in ["109", "110", "115", "126", "138", "168", "175"] {
        assert!(itau(carteira).is_ok(), "{carteira}");
    }
}

#[test]
fn a_code_of_caixa_has_up_to_six_digits_or_seven_from_1100000_on() {
    let caixa = |code: &str| {
        in_bank(&format!(
            "code = '104'\nagencia = '1'\nbeneficiario = '{code}'\nmodalidade = '14'\n"
        ))
    };
    for code in ["1", "955077", "1100000", "9999999"] {
        assert!(caixa(code).is_ok(), "{code}");
    }
    for code in ["", "0955077", "1099999", "11000000", "95507a", "110000٠"] {
        let error = caixa(code).unwrap_err().to_string();
        assert!(error.contains("1100000"), "{error}");
    }
}

#[test]
fn bradesco_needs_both_check_digits() {
    let bradesco = |digits: &str| {
        in_bank(&format!(
            "code = '237'\nagencia = '1'\nconta = '6580'\ncarteira = '09'\n{digits}"
        ))
    };
    for (digits, said) in [
        ("", "agencia_digito"),
        ("agencia_digito = '5'\n", "conta_digito"),
        ("conta_digito = '5'\n", "agencia_digito"),
        ("agencia_digito = 'p'\nconta_digito = '4'\n", "0 to 9, or P"),
        (
            "agencia_digito = '55'\nconta_digito = '4'\n",
            "0 to 9, or P",
        ),
        ("agencia_digito = ''\nconta_digito = '4'\n", "0 to 9, or P"),
    ] {
        let error = bradesco(digits).unwrap_err().to_string();
        assert!(error.contains(said), "{digits}: {error}");
    }
    assert!(bradesco("agencia_digito = 'P'\nconta_digito = '0'\n").is_ok());
}

#[test]
fn texts_are_tidied_and_what_does_not_show_is_refused() {
    let agreement = with(&[
        (
            "Empresa de Demonstração Ltda.",
            " Empresa\u{A0} de\\tDemonstração Ltda. ",
        ),
        ("01000-000", "01000000"),
    ]);
    assert_eq!(agreement.unwrap(), Agreement::demonstration());
    for (from, to, said) in [
        ("São Paulo", "São\u{200B} Paulo", "city holds U+200B"),
        ("Empresa", "Em\u{AD}presa", "name holds U+00AD"),
        ("Avenida", "\u{202E}Avenida", "address holds U+202E"),
        ("Boleto de", "Boleto\\u0000 de", "instructions holds U+0000"),
        (
            "Empresa de Demonstração Ltda.",
            "☃ –",
            "name needs a letter",
        ),
        ("São Paulo", " \u{A0}", "city needs a letter"),
        ("\"SP\"", "\"São Paulo\"", "state is two capital letters"),
        ("\"SP\"", "\"sp\"", "state is two capital letters"),
        ("01000-000", "", "postal_code needs"),
        ("01000-000", "0100-0000", "postal_code is a CEP"),
        ("01000-000", "1000-000", "postal_code is a CEP"),
    ] {
        let error = with(&[(from, to)]).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
}

#[test]
fn a_pix_needs_a_receiver_that_its_code_can_name() {
    let pix = format!("{BANK}\n[pix]\nkey = \"cobranca@example.com\"\n");
    let named = |name: &str, city: &str| {
        with(&[
            (BANK, &pix),
            ("Empresa de Demonstração Ltda.", name),
            ("São Paulo", city),
        ])
    };
    let code = |name: &str, city: &str| {
        let agreement = named(name, city).unwrap();
        let (amount, due) = ("1".parse().unwrap(), "2027-01-31".parse().unwrap());
        let boleto = Boleto::issue(&agreement, 1, amount, due).unwrap();
        boleto.pix.unwrap()
    };
    let found = code("Bar d’Água – Centro Histórico", "Santa Bárbara d’Oeste");
    assert!(found.contains("5925Bar d'Agua - Centro Histo"), "{found}");
    assert!(found.contains("6015Santa Barbara d"), "{found}");
    let found = code("Сад Ltda.", "Moji\u{A0} das  Cruzes Sul");
    assert!(
        found.contains("5909Sad Ltda.") && found.contains("6015Moji das Cruzes"),
        "{found}"
    );
    for (name, city, said) in [
        ("☃", "São Paulo", "the beneficiary's name"),
        ("Empresa", "–☃", "the beneficiary's city"),
    ] {
        let error = named(name, city).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
