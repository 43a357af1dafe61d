//! What holds for every boleto of every bank.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashSet;

use boleto::pix::{BrCode, PixType};
use boleto::{
    Agreement, Amount, Barcode, Boleto, DigitableLine, DueDate, DueDateFactor, IssueError,
};
use jiff::Span;
use proptest::prelude::*;

/// An agreement with each, the digits of its numbers, and whether it takes ten million reais.
const BANKS: [(&str, u32, bool); 5] = [
    (
        "code='001'\nagencia='452'\nconta='123873'\nconvenio='3128557'\ncarteira='17'\n",
        10,
        true,
    ),
    (
        "code='033'\nagencia='1'\nbeneficiario='707077'\ncarteira='101'\n",
        12,
        true,
    ),
    (
        "code='104'\nagencia='1'\nbeneficiario='5507'\nmodalidade='14'\n",
        15,
        false,
    ),
    (
        "code='237'\nagencia='1'\nagencia_digito='P'\nconta='6580'\nconta_digito='4'\ncarteira='09'\n",
        11,
        true,
    ),
    (
        "code='341'\nagencia='1'\nconta='2124'\ncarteira='109'\n",
        8,
        true,
    ),
];

fn agreement(bank: &str) -> Agreement {
    let text = include_str!("../src/demonstration.toml");
    let (head, _) = text.split_once("[bank]").unwrap();
    Agreement::from_toml(&format!(
        "{head}[bank]\n{bank}[pix]\nkey='cobranca@example.com'\n"
    ))
    .unwrap()
}

fn agreements() -> impl Strategy<Value = Agreement> {
    proptest::sample::select(BANKS.map(|(bank, _, _)| agreement(bank)).to_vec())
}

fn due_dates() -> impl Strategy<Value = DueDate> {
    (0..=17_999_i64).prop_map(|days| {
        let date = DueDate::MIN
            .date()
            .checked_add(Span::new().days(days))
            .unwrap();
        DueDate::from_date(date).unwrap()
    })
}

fn amounts() -> impl Strategy<Value = Amount> {
    (1..=999_999_999_i64).prop_map(|centavos| Amount::from_centavos(centavos).unwrap())
}

prop_compose! {
    fn boletos()(
        agreement in agreements(),
        sequence in 1..=99_999_999_u64,
        amount in amounts(),
        due in due_dates(),
    ) -> (Boleto, Amount, DueDate) {
        (Boleto::issue(&agreement, sequence, amount, due).unwrap(), amount, due)
    }
}

/// The text with another digit at that place.
fn changed(text: &str, place: usize, by: u8) -> String {
    let mut digits = text.as_bytes().to_vec();
    digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
    String::from_utf8(digits).unwrap()
}

proptest! {
    #[test]
    fn a_barcode_says_what_was_billed((boleto, amount, due) in boletos()) {
        let barcode = boleto.barcode;
        prop_assert_eq!(barcode.centavos(), amount.centavos().unsigned_abs());
        prop_assert_eq!(barcode.factor(), DueDateFactor::from(due));
        prop_assert_eq!(barcode.to_string().parse(), Ok(barcode));
    }

    #[test]
    fn line_and_barcode_convert_both_ways((boleto, _, _) in boletos()) {
        let line = boleto.barcode.digitable_line();
        prop_assert_eq!(line.barcode(), boleto.barcode);
        prop_assert_eq!(line.to_string().parse::<DigitableLine>(), Ok(line));
        prop_assert_eq!(line.as_str().parse::<DigitableLine>(), Ok(line));
    }

    /// Modulo 10 catches every single digit, so fields 1 to 3 are safe. The
    /// rest is under the general digit, where four rests share the digit 1:
    /// only a change from one of these to another may pass.
    #[test]
    fn one_wrong_digit_of_a_line_is_caught(
        (boleto, _, _) in boletos(), place in 0..47_usize, by in 1..=9_u8,
    ) {
        let line = boleto.barcode.digitable_line();
        let wrong = changed(line.as_str(), place, by).parse::<DigitableLine>();
        let shared = place > 32 && &line.as_str()[32..33] == "1";
        prop_assert!(wrong.is_err() || shared, "{} at {}", line, place);
    }

    #[test]
    fn one_wrong_digit_of_a_barcode_is_caught(
        (boleto, _, _) in boletos(), place in 0..44_usize, by in 1..=9_u8,
    ) {
        let digits = boleto.barcode.to_string();
        let wrong = changed(&digits, place, by).parse::<Barcode>();
        let shared = place != 4 && &digits[4..5] == "1";
        prop_assert!(wrong.is_err() || shared, "{} at {}", digits, place);
    }

    #[test]
    fn no_two_numbers_share_a_boleto(
        agreement in agreements(), first in 1..=99_999_000_u64, amount in amounts(), due in due_dates(),
    ) {
        let mut seen = HashSet::new();
        for sequence in first..first + 200 {
            let boleto = Boleto::issue(&agreement, sequence, amount, due).unwrap();
            prop_assert!(seen.insert(("number", boleto.our_number.to_string())));
            prop_assert!(seen.insert(("barcode", boleto.barcode.to_string())));
            prop_assert!(seen.insert(("compact", boleto.our_number.compact())));
        }
    }

    #[test]
    fn a_pix_code_reads_back((boleto, amount, _) in boletos()) {
        let code = BrCode::read(&boleto.pix.unwrap()).unwrap();
        prop_assert_eq!(code.pix_type(), PixType::Static);
        prop_assert_eq!(code.get("54"), Some(&*amount.to_string()));
        prop_assert_eq!(code.get("62-05"), Some(&*boleto.our_number.compact()));
        prop_assert_eq!(code.get("60"), Some("Sao Paulo"));
    }

    #[test]
    fn a_changed_pix_code_is_caught((boleto, _, _) in boletos(), place in any::<prop::sample::Index>()) {
        let mut code = boleto.pix.unwrap().into_bytes();
        let place = place.index(code.len());
        code[place] = if code[place] == b'0' { b'1' } else { b'0' };
        prop_assert!(BrCode::read(std::str::from_utf8(&code).unwrap()).is_err());
    }

    #[test]
    fn readers_never_panic(text in "\\PC*", digits in "[0-9]{40,50}") {
        for text in [&text, &digits] {
            let _ = text.parse::<Barcode>();
            let _ = text.parse::<DigitableLine>();
            let _ = BrCode::read(text);
            let _ = Agreement::from_toml(text);
        }
    }
}

#[test]
fn a_number_that_does_not_fit_is_refused() {
    for (bank, digits, _) in BANKS {
        let agreement = agreement(bank);
        let issue = |sequence| {
            Boleto::issue(&agreement, sequence, "1".parse().unwrap(), DueDate::MAX).map(|_| ())
        };
        let most = 10_u64.pow(digits) - 1;
        assert_eq!(issue(most), Ok(()));
        assert!(matches!(issue(most + 1), Err(IssueError::Sequence(_))));
    }
}

#[test]
fn caixa_takes_less_than_the_others() {
    for (bank, _, takes) in BANKS {
        let boleto = Boleto::issue(
            &agreement(bank),
            1,
            "10.000.000,00".parse().unwrap(),
            DueDate::MAX,
        );
        assert_eq!(boleto.is_ok(), takes, "{bank}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let line = "00190.00009 03128.557000 00000.001172 2 14940000010050";
    assert!(line.parse::<DigitableLine>().is_ok());
    for (text, said) in [
        ("00190.00009 03128.557000", "47 digits, this text has 21"),
        (
            &line.replace("557000", "557009"),
            "check digit of field 2 is 9 instead of 0",
        ),
        (
            &line.replace(" 2 1", " 3 1"),
            "general check digit (digit 5) is 3 instead of 2",
        ),
        (&line.replace("03128", "0312x"), "character 17"),
        (&"8".repeat(48), "arrecadação"),
    ] {
        let error = text.parse::<DigitableLine>().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let barcode = "00191699100000400000000001234567000000000517";
    for (text, said) in [
        (&barcode[1..], "44 digits, this text has 43"),
        (
            &barcode.replace("00191", "00181"),
            "currency (digit 4) is 8",
        ),
        (&barcode.replace("00191", "00192"), "is 2 instead of 1"),
    ] {
        let error = text.parse::<Barcode>().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
