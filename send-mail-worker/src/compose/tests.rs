//! What is composed is read back by a parser that is not lettre's.

use boleto::pix::{PixKey, StaticPix};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;
use testkit::billed;

use super::*;
use crate::message_id::{NO_DOMAIN, message_id};

/// 2026-11-24, 09:00 in Brasília.
const NOW: Timestamp = Timestamp::constant(1_795_521_600, 0);
/// Neither text nor lines.
const PDF: &[u8] = b"%PDF-1.7\n% \r \xff\0\n%%EOF\n";

fn composer() -> Composer {
    let from = "Empresa de Demonstração <cobranca@example.com>";
    Composer::new(from.parse().unwrap(), None)
}

fn printed(pdf: &[u8]) -> PrintedSlip {
    PrintedSlip {
        pdf: pdf.to_vec(),
        registered: true,
    }
}

fn composed(notification: &Notification) -> Email {
    let slip = notification.boleto.is_some().then(|| printed(PDF));
    let id = message_id(notification, NO_DOMAIN);
    composer().compose(notification, slip, &id, NOW).unwrap()
}

fn parsed(email: &Email) -> Message<'_> {
    MessageParser::default().parse(&email.message).unwrap()
}

/// Both texts, as they are once decoded.
fn texts(email: &Email) -> [String; 2] {
    let message = parsed(email);
    let decoded = |at: u32| message.parts[at as usize].text_contents().unwrap();
    [message.text_body[0], message.html_body[0]].map(|at| decoded(at).replace("\r\n", "\n"))
}

fn raw(email: &Email) -> String {
    String::from_utf8(email.message.clone()).unwrap()
}

/// The message without what its parts say.
fn skeleton(email: &Email) -> String {
    let mut bare = raw(email);
    for part in parsed(email).parts.iter().rev() {
        if !matches!(part.body, PartType::Multipart(_)) {
            bare.replace_range(part.offset_body as usize..part.offset_end as usize, "…");
        }
    }
    bare.replace("\r\n", "\n")
}

fn usual() -> Notification {
    billed("debt-1", 777)
}

fn without_boleto() -> Notification {
    Notification {
        boleto: None,
        ..usual()
    }
}

fn with_pix() -> Notification {
    let mut notification = usual();
    let key = "cobranca@example.com".parse::<PixKey>().unwrap();
    let pix = StaticPix::of_issuer(key, "Empresa de Demonstração", "São Paulo").unwrap();
    if let Some(boleto) = &mut notification.boleto {
        boleto.pix = Some(pix.code(notification.debt_amount, &boleto.our_number));
    }
    notification
}

/// Every text of somebody else's tries to be more than a text.
fn hostile() -> Notification {
    let mut notification = usual();
    notification.name =
        "<script>alert('1')</script>, \"Zé\" & {{ 7*7 }} {% if %}\r\nBcc: x@example.net\u{202e}👾"
            .to_owned();
    notification.debt_id = "</td>\r\n\r\n--=_words_".to_owned();
    if let Some(boleto) = &mut notification.boleto {
        boleto.beneficiary = "<b>Empresa</b>\r\nBcc: y@example.net\r\n\r\n=?utf-8?q?oi?=".into();
        boleto.our_number = "../../1\"\r\n<img src=x>".into();
        boleto.pix = Some("<img src=x onerror=alert(1)>".into());
    }
    notification
}

#[test]
fn what_a_customer_gets() {
    for (case, notification) in [
        ("usual", usual()),
        ("without_boleto", without_boleto()),
        ("with_pix", with_pix()),
        ("hostile", hostile()),
    ] {
        let email = composed(&notification);
        let [text, html] = texts(&email);
        insta::assert_snapshot!(format!("{case}_skeleton"), skeleton(&email));
        insta::assert_snapshot!(format!("{case}_text"), text);
        insta::assert_snapshot!(format!("{case}_html"), html);
    }
}

/// Nobody is to be asked for money by a demonstration.
#[test]
fn a_boleto_that_cannot_be_paid_says_so_before_all_else() {
    let slip = PrintedSlip {
        registered: false,
        ..printed(PDF)
    };
    let email = composer().compose(&usual(), Some(slip), "<1@x.invalid>", NOW);
    let email = email.unwrap();
    let [text, html] = texts(&email);
    let subject = parsed(&email).subject().unwrap().to_owned();
    assert!(subject.starts_with("[Demonstração] Boleto de"), "{subject}");
    insta::assert_snapshot!("demonstration_text", text);
    insta::assert_snapshot!("demonstration_html", html);
    assert!(
        !texts(&composed(&usual()))
            .concat()
            .contains("Demonstração –")
    );
}

#[test]
fn both_texts_say_all_that_it_takes_to_pay() {
    let notification = with_pix();
    let boleto = notification.boleto.as_ref().unwrap();
    let line = boleto.barcode.digitable_line();
    for text in texts(&composed(&notification)) {
        for what in [
            "João da Silva",
            "R$\u{a0}7.811,00",
            "19/01/2027",
            &boleto.beneficiary,
            &boleto.our_number,
            &line.to_string(),
            line.as_str(),
            boleto.pix.as_deref().unwrap(),
        ] {
            assert!(text.contains(what), "{what} is not in {text}");
        }
    }
}

#[test]
fn without_the_slip_it_does_not_tell_how_to_pay() {
    let (notification, id) = (usual(), message_id(&usual(), NO_DOMAIN));
    let email = composer().compose(&notification, None, &id, NOW).unwrap();
    assert_eq!(email, composed(&without_boleto()));
    let boleto = notification.boleto.unwrap();
    for text in texts(&email) {
        assert!(!text.contains(boleto.barcode.digitable_line().as_str()));
    }
    assert_eq!(parsed(&email).attachment_count(), 0);
}

#[test]
fn no_text_becomes_markup_or_a_header() {
    let email = composed(&hostile());
    let [_, html] = texts(&email);
    for tag in ["<script", "<img", "<b>", "</td>\r\n\r\n"] {
        assert!(!html.contains(tag), "{tag}");
    }
    assert!(html.contains("{{ 7*7 }} {% if %}"));
    let message = parsed(&email);
    assert!(message.bcc().is_none());
    assert_eq!(message.parts.len(), 5);
    assert_eq!(
        message.attachment(0).unwrap().attachment_name(),
        Some("boleto-1imgsrcx.pdf")
    );
}

#[test]
fn a_code_that_is_no_pix_is_left_out() {
    let mut notification = with_pix();
    if let Some(code) = notification.boleto.as_mut().and_then(|b| b.pix.as_mut()) {
        let last = code.pop().unwrap();
        code.push(if last == '0' { '1' } else { '0' });
    }
    for text in texts(&composed(&notification)) {
        assert!(!text.contains("br.gov.bcb.pix"));
        assert!(!text.contains("Prefere Pix?") && !text.contains("PREFERE PIX?"));
    }
}

#[test]
fn a_name_that_is_not_seen_is_no_name() {
    let mut notification = usual();
    notification.name = "\u{200f}\r\n\0".to_owned();
    let email = composed(&notification);
    assert!(raw(&email).contains("\r\nTo:  <joao@example.com>\r\n"));
    assert!(texts(&email).iter().all(|text| text.contains("Olá!")));
}

#[test]
fn whoever_reads_answers_is_named() {
    let answers = "Atendimento <sac@example.com>".parse().unwrap();
    let from = "cobranca@example.com".parse().unwrap();
    let email = Composer::new(from, Some(answers))
        .compose(&usual(), None, "<1@x.invalid>", NOW)
        .unwrap();
    assert!(raw(&email).contains("\r\nReply-To: Atendimento <sac@example.com>\r\n"));
    assert!(
        texts(&email)
            .iter()
            .all(|t| t.contains("responda a este e-mail"))
    );
    let unanswered = texts(&composed(&usual()));
    assert!(
        unanswered
            .iter()
            .all(|t| t.contains("não responda a este e-mail"))
    );
}

#[test]
fn sent_again_it_differs_in_its_date_alone() {
    let compose = |now| {
        let id = message_id(&with_pix(), NO_DOMAIN);
        let slip = Some(printed(PDF));
        raw(&composer().compose(&with_pix(), slip, &id, now).unwrap())
    };
    let (first, again) = (compose(NOW), compose(Timestamp::constant(1_795_521_661, 9)));
    assert_ne!(first, again);
    let dated = |text: &str, date| text.replace(date, "Date: \r\n");
    assert_eq!(
        dated(&first, "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n"),
        dated(&again, "Date: Tue, 24 Nov 2026 12:01:01 +0000\r\n"),
    );
}

#[test]
fn a_broken_clock_is_no_panic() {
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let email = composer().compose(&usual(), None, "<1@x.invalid>", now);
        assert!(email.is_ok());
    }
}

#[test]
fn an_address_is_written_in_ascii_or_not_at_all() {
    let to = |email: &str| {
        let notification = Notification {
            email: email.to_owned(),
            ..usual()
        };
        composer()
            .compose(&notification, None, "<1@x.invalid>", NOW)
            .map(|email| email.to.to_string())
    };
    for (email, address) in [
        ("joao@example.com", "joao@example.com"),
        (" Joao.Silva+x@Example.COM ", "Joao.Silva+x@example.com"),
        ("joao@ação.com.br", "joao@xn--ao-siap.com.br"),
        ("\"joao silva\"@example.com", "\"joao silva\"@example.com"),
    ] {
        assert_eq!(to(email).as_deref(), Ok(address));
    }
    for email in [
        "",
        "joao",
        "joão@example.com",
        "joao@",
        "@example.com",
        "a@b@example.com",
        "joao@exa mple.com",
        "joao@example.com\r\nBcc: x@example.net",
        "\"a\r\nBcc: x\"@example.net",
        "\"joao>\"@example.com",
        "<joao@example.com>",
        "joao@example.com, ana@example.com",
    ] {
        assert_eq!(to(email), Err(ComposeError::AddressUnsupported), "{email}");
    }
    let reason = Reason::from(ComposeError::AddressUnsupported);
    assert_eq!(reason.code, "address_unsupported");
}

/// Text that people and programs would rather not see, and any other.
fn any_text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\r\n",
        "\n.\r\n",
        "=?utf-8?q?=41?=",
        "<a@b.co>",
        "\"",
        "\\",
        ",",
        ";",
        "(",
        "\u{202e}",
        "\u{200d}",
        "é",
        "Ω",
        "😀",
        "{{",
        "</td>",
        "=_words_",
        "--",
        "  ",
        "R$",
        "aaaaaaaaaaaaaaa",
    ]);
    let pieces = prop::collection::vec(prop_oneof![nasty.prop_map(str::to_owned), ".{0,9}"], 0..60);
    prop_oneof![any::<String>(), pieces.prop_map(|pieces| pieces.concat())]
}

fn any_address() -> impl Strategy<Value = String> {
    let local = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\\.[a-z0-9]{1,20}){0,2}";
    let quoted = "\"[a-z .]{1,20}\"";
    let domain = "([a-z0-9]{1,20}\\.){1,3}[a-z]{2,9}";
    prop_oneof![
        4 => (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}")),
        1 => (quoted, domain).prop_map(|(local, domain)| format!("{local}@{domain}")),
        1 => any_text(),
    ]
}

proptest! {
    #[test]
    fn a_parser_reads_back_what_went_in(
        [name, debt_id, beneficiary, our_number] in [any_text(), any_text(), any_text(), any_text()],
        address in any_address(),
        slip in prop::option::of(prop::collection::vec(any::<u8>(), 0..400)),
        pix in prop::option::of(any_text()),
        now in any::<i32>(),
    ) {
        let mut notification = billed(&debt_id, 777);
        notification.name.clone_from(&name);
        notification.email.clone_from(&address);
        if let Some(boleto) = &mut notification.boleto {
            boleto.beneficiary = beneficiary.as_str().into();
            boleto.our_number.clone_from(&our_number);
            boleto.pix = pix;
        }
        let id = message_id(&notification, NO_DOMAIN);
        let now = Timestamp::constant(now.into(), 0);
        let Ok(email) = composer().compose(&notification, slip.as_deref().map(printed), &id, now) else {
            return Ok(());
        };

        let text = raw(&email);
        prop_assert!(text.is_ascii());
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));

        let message = parsed(&email);
        let to = message.to().unwrap().first().unwrap();
        prop_assert_eq!(to.address(), Some(email.to.as_ref()));
        prop_assert_eq!(to.name().unwrap_or_default(), one_line(&name));
        prop_assert_eq!(message.to().unwrap().iter().count(), 1);
        prop_assert!(message.bcc().is_none() && message.cc().is_none());
        prop_assert_eq!(message.message_id(), Some(id.trim_matches(['<', '>'])));
        let subject = message.subject().unwrap();
        let attached = message.attachment(0).map(|file| file.contents().to_vec());
        let beneficiary = one_line(&beneficiary).replace("=?", "= ?");
        if beneficiary.is_empty() || one_line(&our_number).is_empty() || slip.is_none() {
            prop_assert_eq!(subject, "Cobrança – vencimento 19/01/2027");
            prop_assert_eq!(attached, None);
        } else {
            let expected = format!("Boleto de {beneficiary} – vencimento 19/01/2027");
            prop_assert_eq!(subject, expected);
            prop_assert_eq!(attached, slip);
        }
        let [text, html] = texts(&email);
        prop_assert!(text.contains(&one_line(&name)));
        prop_assert!(html.ends_with("</html>"));
    }
}
