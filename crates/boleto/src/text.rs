//! Text for readers that know few characters: the fonts of a slip, and a PIX
//! code, which is ASCII.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Appends the nearest spelling of a character to `text`, in characters for
/// which `knows` is true. Returns false where there is none.
///
/// The character itself comes first, then its parts without accents
/// (`ř` as `r`, `№` as `No`), then its transliteration (`Щ` as `Shch`, `王` as
/// `Wang`). Symbols are not spelled out: an emoji in a name is no word of it.
/// Nothing is appended for what takes no room of its own, which counts as
/// spelled.
pub fn spell(character: char, text: &mut String, knows: impl Fn(char) -> bool) -> bool {
    if knows(character) {
        text.push(character);
        return true;
    }
    if is_invisible(character) {
        return true;
    }
    let before = text.len();
    // A spacing accent, as in `D´Água`, has a space as a part.
    let parts = || {
        std::iter::once(character)
            .nfkd()
            .filter(|part| *part != ' ')
    };
    if parts().any(&knows) {
        for part in parts() {
            if knows(part) {
                text.push(part);
            } else {
                text.extend(transliterated(part).filter(|other| knows(*other)));
            }
        }
    } else {
        text.extend(transliterated(character).filter(|other| knows(*other)));
    }
    text.len() > before || is_combining_mark(character)
}

/// The transliteration of a letter, digit or punctuation mark, in one word;
/// nothing for other characters.
fn transliterated(character: char) -> impl Iterator<Item = char> {
    let spelled = any_ascii::any_ascii_char(character);
    let is_word = spelled.bytes().any(|byte| byte.is_ascii_alphabetic());
    let spelled = if is_word && !character.is_alphanumeric() {
        ""
    } else {
        spelled
    };
    spelled.chars().filter(|other| *other != ' ')
}

/// A text in ASCII: runs of blanks become one space, and characters without a
/// spelling are left out.
pub fn to_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.nfc() {
        if character.is_whitespace() {
            if !ascii.is_empty() && !ascii.ends_with(' ') {
                ascii.push(' ');
            }
        } else {
            spell(character, &mut ascii, |other| matches!(other, ' '..='~'));
        }
    }
    ascii.truncate(ascii.trim_end().len());
    ascii
}

/// Whether a character shows nothing and takes no room, and yet may change
/// what is shown: controls other than blanks, soft hyphens, zero-width
/// characters and those that turn the direction of writing (Unicode's
/// `Default_Ignorable_Code_Point`, and the interlinear annotations).
pub const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}'
            | '\u{E}'..='\u{1F}'
            | '\u{7F}'..='\u{84}'
            | '\u{86}'..='\u{9F}'
            | '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_scripts_and_punctuation_have_a_spelling() {
        for (text, ascii) in [
            ("Companhia de Águas Ltda.", "Companhia de Aguas Ltda."),
            ("Łódź Đặng Çelik Straße", "Lodz Dang Celik Strasse"),
            ("Bar d’Água – “Zé”", "Bar d'Agua - \"Ze\""),
            ("Pau D´Alho", "Pau D'Alho"),
            ("« Loja » … 1‑2−3", "<< Loja >> ... 1-2-3"),
            ("Иван Щукин", "Ivan Shchukin"),
            ("Γιώργος Παπάς", "Giorgos Papas"),
            ("王 小明", "Wang XiaoMing"),
            ("김철수", "GimCheolSu"),
            ("محمد", "mhmd"),
            ("नमस्ते", "nmste"),
            ("⅓ № ﬁm Ｌtda 1ª", "1/3 No fim Ltda 1a"),
            ("Səda ١٢", "Seda 12"),
        ] {
            assert_eq!(to_ascii(text), ascii, "{text}");
        }
    }

    #[test]
    fn symbols_and_what_is_not_seen_leave_nothing() {
        for (text, ascii) in [
            ("Padaria 🍞 Sol", "Padaria Sol"),
            ("☃👾", ""),
            (
                "a\u{AD}b\u{200B}c\u{202E}d\u{2066}e\u{FEFF}f\u{61C}g\u{3164}h\u{E0041}i\0j",
                "abcdefghij",
            ),
            (
                "\u{A0}two \u{A0}\t\r\n\u{200B} blanks\u{3000}",
                "two blanks",
            ),
            ("\u{301}", ""),
            ("a\u{301}", "a"),
        ] {
            assert_eq!(to_ascii(text), ascii, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_ascii_without_blanks_at_either_end(text in any::<String>()) {
            let ascii = to_ascii(&text);
            prop_assert!(ascii.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{ascii:?}");
            prop_assert_eq!(ascii.trim(), &ascii);
            prop_assert!(!ascii.contains("  "), "{ascii:?}");
            prop_assert_eq!(to_ascii(&ascii), ascii.clone());
        }
    }
}
