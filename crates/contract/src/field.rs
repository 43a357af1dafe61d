//! A field of a record, without what spreadsheets and exports put around it.

use std::borrow::Cow;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

/// What programs write where they have no value, in small letters. An error
/// of a spreadsheet is told by its form.
const PLACEHOLDERS: [&str; 29] = [
    "null",
    "(null)",
    "[null]",
    "<null>",
    "nil",
    "none",
    "\\n",
    "nan",
    "na",
    "n/a",
    "n.a.",
    "#n/a",
    "#n/d",
    "n/d",
    "undefined",
    "(undefined)",
    "[object object]",
    "(vazio)",
    "(em branco)",
    "(blank)",
    "não informado",
    "nao informado",
    "não consta",
    "nao consta",
    "isento",
    "s/n",
    "sem nome",
    "sem cpf",
    "sem cnpj",
];

/// A text without blanks and invisible characters at both ends.
pub fn trimmed(text: &str) -> &str {
    if let [33..=126] | [33..=126, .., 33..=126] = text.as_bytes() {
        return text;
    }
    text.trim_matches(|character: char| character.is_whitespace() || is_invisible(character))
}

/// The text that was meant: [trimmed], and without the wrapper that keeps a
/// spreadsheet from taking it for a number (`="000123"`, `'000123`).
pub(super) fn unwrapped(text: &str) -> &str {
    let mut text = trimmed(text);
    while let Some(inner) = wrapped(text) {
        text = trimmed(inner);
    }
    text
}

/// What stands in the wrapper, if there is one.
fn wrapped(text: &str) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('\'') {
        return Some(inner.strip_suffix('\'').unwrap_or(inner));
    }
    let inner = text.strip_prefix("=\"")?.strip_suffix('"')?;
    (!inner.contains('"')).then_some(inner)
}

/// Whether the character is no blank and nobody sees it: a control or format
/// character, one that Unicode tells to ignore, or one without a picture.
pub(super) fn is_invisible(character: char) -> bool {
    /// It is no space for Unicode, and looks like one.
    const BRAILLE_BLANK: char = '\u{2800}';
    if character.is_ascii() || character.is_whitespace() {
        return character.is_ascii_control() && !character.is_whitespace();
    }
    character == BRAILLE_BLANK
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || matches!(
            CodePointMapData::<GeneralCategory>::new().get(character),
            GeneralCategory::Format | GeneralCategory::Control
        )
}

/// A text without its invisible characters, but for line breaks and tabs and
/// for the joiners (U+200C, U+200D) that some scripts are written with.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let is_kept = |character: char| {
        character.is_whitespace()
            || matches!(character, '\u{200c}' | '\u{200d}')
            || !is_invisible(character)
    };
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter(|character| is_kept(*character))
            .collect(),
    )
}

/// Whether a program wrote the text for want of a value.
pub(super) fn is_placeholder(text: &str) -> bool {
    let is_dashes = !text.is_empty() && text.chars().all(|c| matches!(c, '-' | '–' | '—'));
    let is_error = text.starts_with('#') && text.ends_with(['!', '?']);
    // No placeholder is longer, so most texts need no copy.
    let longest = PLACEHOLDERS
        .iter()
        .map(|text| text.len())
        .max()
        .unwrap_or(0);
    is_dashes || is_error || text.len() <= longest && PLACEHOLDERS.contains(&&*text.to_lowercase())
}

/// Whether a spreadsheet or a program wrote a number for the text: `3,5E+43`,
/// `17.0`.
pub(super) fn is_machine_number(text: &str) -> bool {
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
        let digits = exponent.trim_start_matches(['+', '-']);
        // Without a sign or a decimal it may be an id that has a letter.
        let is_written = digits.len() < exponent.len() || mantissa.len() > whole.len();
        return is_written && [whole, decimals, digits].into_iter().all(is_digits);
    }
    text.split_once(['.', ','])
        .is_some_and(|(whole, decimals)| is_digits(whole) && decimals == "0")
}

/// Whether the text is a number with decimals, and not digits in groups of three.
pub(super) fn is_decimal(text: &str) -> bool {
    text.split_once('.').is_some_and(|(whole, decimals)| {
        is_digits(whole) && is_digits(decimals) && decimals.len() != 3
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first character for which a text looks like another one: a dash that
/// Word made of a hyphen, the second of two blanks, a letter of full width, an
/// accent apart from its letter, or a sign that Unicode takes for a letter.
pub(super) fn alike(text: &str) -> Option<char> {
    if let Some(blanks) = text.find("  ") {
        return text[blanks..].chars().next();
    }
    if text.is_ascii() {
        return None;
    }
    let is_alike =
        |c: &char| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff01}'..='\u{ff5e}');
    let composed = text
        .nfc()
        .zip(text.chars())
        .find(|(composed, c)| composed != c);
    text.chars().find(is_alike).or(composed.map(|(_, c)| c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_blanks_and_invisible_characters_are_taken_off() {
        for text in [
            "000123",
            " 000123\t",
            "'000123",
            "'000123'",
            "=\"000123\"",
            " '=\"000123\" ",
            "=\" '000123\"",
            "\u{feff}000123",
            "\u{200b}\u{a0}000123\u{200e}\u{ad}",
            "\u{2060}=\"000123\"\u{3164}",
            "000123\0\u{1a}",
        ] {
            assert_eq!(unwrapped(text), "000123", "{text:?}");
        }
        for text in ["D'Ávila", "=A1", "=\"a\"&\"b\"", "a'", "\"a\"", "=\"a"] {
            assert_eq!(unwrapped(text), text);
        }
        for text in ["", " ", "'", "''", "'''", "=\"\"", "\u{feff}"] {
            assert_eq!(unwrapped(text), "", "{text:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_invisible() {
        for character in "\u{0}\u{7f}\u{80}\u{ad}\u{34f}\u{115f}\u{180e}\u{200b}\u{200e}\u{202a}\u{202e}\u{2060}\u{2066}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{e0001}".chars() {
            assert!(is_invisible(character), "{character:?}");
        }
        for character in "aZ09 \n\u{85}-'éçºª€日я\u{301}".chars() {
            assert!(!is_invisible(character), "{character:?}");
        }
        assert_eq!(visible("Jo\u{ad}ão\n\u{202e}Zé"), "João\nZé");
        assert_eq!(visible("علی\u{200c}رضا"), "علی\u{200c}رضا");
    }

    #[test]
    fn what_looks_like_another_text_is_known() {
        for (text, character) in [
            ("tw-e\u{301}", 'e'),
            ("A\u{2011}1", '\u{2011}'),
            ("A\u{2013}1", '\u{2013}'),
            ("A  1", ' '),
            ("\u{ff21}1", '\u{ff21}'),
            ("\u{212a}1", '\u{212a}'),
        ] {
            assert_eq!(alike(text), Some(character), "{text}");
        }
        for text in ["A-1", "A 1", "Fatura-nº-1", "tw-é", "日本-1"] {
            assert_eq!(alike(text), None, "{text}");
        }
    }

    #[test]
    fn placeholders_are_known_in_any_case() {
        for text in [
            "NULL",
            "null",
            "(null)",
            "#N/D",
            "#N/A",
            "\\N",
            "nan",
            "NaN",
            "undefined",
            "#REF!",
            "#NOME?",
            "#DIV/0!",
            "-",
            "--",
            "—",
            "N/A",
            "None",
            "NÃO INFORMADO",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["", "Nulli", "Ana", "0", "#1", "N-1", "Nancy", "nulo-1"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn a_number_that_a_program_wrote_is_known() {
        for text in [
            "7,00012E+10",
            "3,52604E+43",
            "1e+5",
            "1.5e5",
            "7E-2",
            "17.0",
            "700012347810,0",
        ] {
            assert!(is_machine_number(text), "{text}");
        }
        for text in [
            "17",
            "1e5",
            "12e45",
            "E+5",
            "1E+",
            "1.2.0",
            "17.00",
            "17.5",
            "a.0",
            ".0",
            "2024-1",
            "1adb6ccf-ff16-467f-bea7-5f05d494280f",
        ] {
            assert!(!is_machine_number(text), "{text}");
        }
    }
}
