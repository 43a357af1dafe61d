//! What holds for every slip. `make check/slip` reads them with other
//! programs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod content;
mod samples;

use boleto::{Agreement, Document};
use proptest::prelude::*;
use samples::Sample;
use slip::Slip;

/// The most bytes that a slip may take.
const MOST_BYTES: usize = 25 * 1024;

#[test]
fn the_demonstration_says_what_it_should_where_it_should() {
    let pdf = Sample::demonstration().slip().to_pdf();
    insta::assert_snapshot!(content::texts(&pdf).join("\n"));
}

#[test]
fn a_pix_adds_its_panel_and_its_image() {
    for sample in samples::all() {
        let pdf = sample.slip().to_pdf();
        let texts = content::texts(&pdf);
        let count = |what: &str| texts.iter().filter(|text| text.contains(what)).count();
        let (pix, registered) = (sample.boleto.pix.is_some(), sample.agreement.registered());
        let name = &sample.name;
        assert_eq!(count("não baixa este boleto"), usize::from(pix), "{name}");
        assert_eq!(
            count("Pague com PIX"),
            usize::from(pix && registered),
            "{name}"
        );
        let has_image = content::latin_1(&pdf).contains("/Subtype/Image");
        assert_eq!(has_image, pix, "{name}");
    }
}

#[test]
fn only_a_registered_slip_invites_payment() {
    for sample in samples::all() {
        let texts = content::texts(&sample.slip().to_pdf());
        let count = |what: &str| texts.iter().filter(|text| text.contains(what)).count();
        let registered = sample.agreement.registered();
        let name = &sample.name;
        assert_eq!(
            count("Pagável em qualquer banco"),
            usize::from(registered),
            "{name}"
        );
        let banners = count("DEMONSTRAÇÃO – NÃO REGISTRADO");
        assert_eq!(banners, if registered { 0 } else { 2 }, "{name}");
    }
}

#[test]
fn the_same_slip_is_the_same_bytes_and_few() {
    for sample in samples::all() {
        let pdf = sample.slip().to_pdf();
        assert_eq!(sample.slip().to_pdf(), pdf, "{}", sample.name);
        assert!(
            pdf.len() <= MOST_BYTES,
            "{}: {} bytes",
            sample.name,
            pdf.len()
        );
    }
}

#[test]
fn the_file_names_itself_and_its_language() {
    let pdf = content::latin_1(&Sample::demonstration().slip().to_pdf());
    for part in [
        "/Lang(pt-BR)",
        "/DisplayDocTitle true",
        "/PrintScaling/None",
        "/ID[",
    ] {
        assert!(pdf.contains(part), "{part}");
    }
    // UTF-16 of "Boleto 31".
    assert!(pdf.contains("/Title<FEFF0042006F006C00650074006F002000330031"));
}

#[test]
fn a_name_in_another_script_can_be_read() {
    let mut sample = Sample::demonstration();
    for (name, shown) in [
        ("Иван Щукин", "Ivan Shchukin – CPF"),
        ("Γιώργος Παπάς", "Giorgos Papas – CPF"),
        ("João Łukasz", "João Lukasz – CPF"),
        ("Ana\u{AD}\u{200B} \u{202E}Sou\u{2066}za", "Ana Souza – CPF"),
    ] {
        sample.payer_name = name.to_owned();
        let texts = content::texts(&sample.slip().to_pdf());
        let found = texts.iter().filter(|text| text.contains(shown)).count();
        assert_eq!(found, 2, "{name}: {texts:#?}");
    }
}

/// Agreements from before an issuer's file was refused for such characters.
#[test]
fn what_does_not_show_is_left_out_of_the_title_as_well() {
    let json = Agreement::demonstration().to_json();
    let hostile = json.replace("Empresa", "Em\u{202E}pre\u{200B}sa");
    let mut sample = Sample::demonstration();
    let usual = sample.slip().to_pdf();
    sample.agreement = Agreement::from_json(&hostile).unwrap();
    assert!(sample.slip().to_pdf() == usual);
}

proptest! {
    #[test]
    fn no_text_is_too_odd_or_too_long(
        our_number in any::<String>(),
        document_number in any::<String>(),
        payer_name in any::<String>(),
        document in any::<String>(),
        pix in any::<Option<String>>(),
        repeat in 0..200_usize,
    ) {
        let sample = Sample::demonstration();
        let pdf = Slip {
            our_number: &our_number,
            document_number: &document_number.repeat(repeat),
            payer_name: &payer_name.repeat(repeat),
            payer_document: &Document::of(&document.repeat(repeat)),
            pix: pix.as_deref(),
            ..sample.slip()
        }
        .to_pdf();
        prop_assert!(pdf.len() <= MOST_BYTES, "{} bytes", pdf.len());
        prop_assert!(content::texts(&pdf).len() > 50);
    }
}
