//! Personal data as an operator may see it: enough to recognise, not enough
//! to misuse. Whatever the input is, the result is one line that a terminal
//! shows as it is.

/// What stands for hidden characters, whatever their number.
const HIDDEN: &str = "***";
/// Most words of a name that are hinted at.
const MAX_WORDS: usize = 6;
/// Most characters of a text that is shown as it is.
const MAX_SHOWN: usize = 80;
/// A document of fewer characters than this is hidden as a whole.
const LEAST_DOCUMENT: usize = 4;

/// `John Silva` → `J*** S***`.
pub fn masked_name(name: &str) -> String {
    let words: Vec<String> = name
        .split_whitespace()
        .take(MAX_WORDS)
        .map(|word| hinted(word.chars().next()))
        .collect();
    if words.is_empty() {
        HIDDEN.to_owned()
    } else {
        words.join(" ")
    }
}

/// `joao@example.com` → `j***@example.com`. What is no address is hidden as a
/// whole.
pub fn masked_email(email: &str) -> String {
    let is_domain = |domain: &str| {
        let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        !domain.is_empty() && domain.chars().count() <= MAX_SHOWN && domain.chars().all(known)
    };
    match email.trim().rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && is_domain(domain) => {
            format!("{}@{domain}", hinted(local.chars().next()))
        }
        _ => HIDDEN.to_owned(),
    }
}

/// `12345678909` → `***09`. A very short one is hidden as a whole.
pub fn masked_document(document: &str) -> String {
    let known: Vec<char> = document.chars().filter(|c| c.is_alphanumeric()).collect();
    if known.len() < LEAST_DOCUMENT {
        return HIDDEN.to_owned();
    }
    let last: String = known[known.len() - 2..].iter().collect();
    format!("{HIDDEN}{last}")
}

/// A text that is no personal data, such as a debt's id: cut at 80
/// characters, and with whatever could move the cursor or turn the direction
/// of writing as an escape.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN));
    let mut characters = text.chars();
    for character in characters.by_ref().take(MAX_SHOWN) {
        if is_printable(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Its first character, where it can be shown, and a mask.
fn hinted(first: Option<char>) -> String {
    let first = first.filter(|c| c.is_alphanumeric());
    first.into_iter().chain(HIDDEN.chars()).collect()
}

fn is_printable(character: char) -> bool {
    let is_mark = matches!(character,
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    !character.is_control() && !is_mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_keeps_its_initials() {
        for (name, masked) in [
            ("John Silva", "J*** S***"),
            ("  élise\tda  Luz ", "é*** d*** L***"),
            ("J", "J***"),
            ("", "***"),
            (" \n ", "***"),
            ("\u{1b}[2J Zé", "*** Z***"),
            ("a b c d e f g h", "a*** b*** c*** d*** e*** f***"),
        ] {
            assert_eq!(masked_name(name), masked);
        }
    }

    #[test]
    fn an_address_keeps_its_first_letter_and_its_domain() {
        for (email, masked) in [
            ("joao@example.com", "j***@example.com"),
            (" a@b.co ", "a***@b.co"),
            ("x@y@example.com", "x***@example.com"),
            ("\"@example.com", "***@example.com"),
            ("joao", "***"),
            ("@example.com", "***"),
            ("joao@", "***"),
            ("joao@exa mple.com", "***"),
            ("joao@\u{1b}[2J", "***"),
            ("", "***"),
        ] {
            assert_eq!(masked_email(email), masked);
        }
    }

    #[test]
    fn a_document_keeps_its_last_two_characters() {
        for (document, masked) in [
            ("12345678909", "***09"),
            ("123.456.789-09", "***09"),
            ("12ABC34501DE35", "***35"),
            ("9558", "***58"),
            ("955", "***"),
            ("", "***"),
            ("\u{1b}[2J\r\n", "***"),
        ] {
            assert_eq!(masked_document(document), masked);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("1adb6ccf-ff16"), "1adb6ccf-ff16");
        assert_eq!(printable("a\u{1b}[2J\r\n"), "a\\u{1b}[2J\\u{d}\\u{a}");
        assert_eq!(printable("\u{202e}gpj"), "\\u{202e}gpj");
        assert_eq!(printable(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
    }

    proptest! {
        #[test]
        fn every_mask_is_one_printable_line(text in any::<String>()) {
            for masked in [
                masked_name(&text),
                masked_email(&text),
                masked_document(&text),
                printable(&text),
            ] {
                prop_assert!(masked.chars().all(is_printable), "{masked:?}");
            }
        }

        #[test]
        fn a_mask_hides_what_is_between(secret in "[a-z]{3,40}") {
            let document = format!("{secret}09");
            prop_assert_eq!(masked_document(&document), "***09");
            let email = format!("q{secret}@example.com");
            prop_assert_eq!(masked_email(&email), "q***@example.com");
            let name = format!("Q{secret}");
            prop_assert_eq!(masked_name(&name), "Q***");
        }
    }
}
