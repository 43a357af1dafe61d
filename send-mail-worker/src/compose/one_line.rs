/// Most characters of a text that an e-mail shows. Longer ones are cut: a
/// header has 998 bytes a line (RFC 5322, section 2.1.1), and a letter that
/// begins with a page of somebody's name is none.
const MOST: usize = 120;

/// A text as it came, but on one line, without characters that are not seen
/// and yet change what is, and not longer than a line should be.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(4 * MOST));
    let mut characters = 0;
    let mut space = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            space = !line.is_empty();
            continue;
        }
        if is_hidden(character) {
            continue;
        }
        if characters + usize::from(space) >= MOST {
            line.push('…');
            break;
        }
        if std::mem::take(&mut space) {
            line.push(' ');
            characters += 1;
        }
        line.push(character);
        characters += 1;
    }
    line
}

/// Marks that turn the direction of writing or take no place. The joiners
/// (U+200C, U+200D) stay: some scripts, and emoji, are not right without.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_seen_stays_as_it_came() {
        for (text, line) in [
            ("João da Silva", "João da Silva"),
            ("JOÃO DA SILVA", "JOÃO DA SILVA"),
            ("  Ana \r\n\t Bcc: x ", "Ana Bcc: x"),
            ("\u{202e}avliS\u{202c} \u{feff}da", "avliS da"),
            ("a\u{2028}b\u{0}c\u{85}d", "a b c d"),
            ("Zé 👩\u{200d}🌾", "Zé 👩\u{200d}🌾"),
            ("\u{200f} \n", ""),
            ("", ""),
        ] {
            assert_eq!(one_line(text), line, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_fits_is_whole_and_a_longer_one_is_cut() {
        let fits = "é".repeat(MOST);
        assert_eq!(one_line(&fits), fits);
        assert_eq!(one_line(&format!("{fits}  ")), fits);
        assert_eq!(one_line(&format!("{fits}x")), format!("{fits}…"));
        assert_eq!(one_line(&format!("{fits} x")), format!("{fits}…"));
    }

    proptest! {
        #[test]
        fn it_is_short_and_doing_it_again_changes_nothing(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(line.chars().count() <= MOST + 1);
            prop_assert!(!line.contains(char::is_control));
            prop_assert_eq!(line.trim(), &line);
            prop_assert_eq!(one_line(&line), line.clone());
        }
    }
}
