//! What of Unicode the slip's fonts can write.

use boleto::text::spell;
use unicode_normalization::UnicodeNormalization;

/// Characters of a text that are looked at; no field has room for as many.
const MOST: usize = 1024;

/// The characters 128 to 159; those between them are not used.
const UPPER: [(char, u8); 27] = [
    ('€', 128),
    ('‚', 130),
    ('ƒ', 131),
    ('„', 132),
    ('…', 133),
    ('†', 134),
    ('‡', 135),
    ('ˆ', 136),
    ('‰', 137),
    ('Š', 138),
    ('‹', 139),
    ('Œ', 140),
    ('Ž', 142),
    ('‘', 145),
    ('’', 146),
    ('“', 147),
    ('”', 148),
    ('•', 149),
    ('–', 150),
    ('—', 151),
    ('˜', 152),
    ('™', 153),
    ('š', 154),
    ('›', 155),
    ('œ', 156),
    ('ž', 158),
    ('Ÿ', 159),
];

/// Letters and signs that do not decompose into one of the fonts.
const ALIKE: [(char, u8); 11] = [
    ('Ł', b'L'),
    ('ł', b'l'),
    ('Đ', b'D'),
    ('đ', b'd'),
    ('Ħ', b'H'),
    ('ħ', b'h'),
    ('ı', b'i'),
    ('ẞ', 0xDF),
    ('\u{2010}', b'-'),
    ('\u{2011}', b'-'),
    ('\u{2212}', b'-'),
];

/// A text in `WinAnsiEncoding`: blanks become one space, a letter loses the
/// accents that the fonts lack, other scripts are transliterated, what does
/// not show is left out, and the rest becomes `?`.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let text = text.trim();
    if let Some(encoded) = encode_directly(text) {
        return encoded;
    }
    let mut encoded = Vec::with_capacity(text.len().min(MOST));
    let mut spelled = String::new();
    for character in text.chars().take(MOST).nfc() {
        if character.is_whitespace() {
            if !encoded.is_empty() && encoded.last() != Some(&b' ') {
                encoded.push(b' ');
            }
            continue;
        }
        spelled.clear();
        if spell(character, &mut spelled, |other| byte_of(other).is_some()) {
            encoded.extend(spelled.chars().filter_map(byte_of));
        } else {
            encoded.push(b'?');
        }
    }
    encoded.truncate(encoded.trim_ascii_end().len());
    encoded
}

/// The usual case: a text that the fonts have as it is. To compose its
/// characters would take as long as all else of a slip.
fn encode_directly(text: &str) -> Option<Vec<u8>> {
    let encoded: Option<Vec<u8>> = text.chars().take(MOST).map(byte_of).collect();
    encoded.filter(|encoded| !encoded.array_windows().any(|pair| pair == b"  "))
}

fn byte_of(character: char) -> Option<u8> {
    match character {
        ' '..='~' | '\u{A1}'..='\u{AC}' | '\u{AE}'..='\u{FF}' => u8::try_from(character).ok(),
        _ => {
            let mut others = UPPER.iter().chain(&ALIKE);
            let found = others.find(|(other, _)| *other == character)?;
            Some(found.1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portuguese_is_written_as_it_is() {
        let text = "ÁÂÃÀÇÉÊÍÓÔÕÚÜáâãàçéêíóôõúüºª§R$";
        let latin_1: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        assert_eq!(encode(text), latin_1);
        assert_eq!(encode("c\u{327}a\u{303}"), encode("çã"));
        assert_eq!(encode("‘–…€"), [145, 150, 133, 128]);
    }

    #[test]
    fn the_rest_is_written_as_near_as_it_can_be() {
        for (text, written) in [
            ("Škoda Dvořák", &b"\x8Akoda Dvor\xE1k"[..]),
            ("Łódź Đặng", b"L\xF3dz Dang"),
            ("ﬁm de ½ Ｌtda", b"fim de \xBD Ltda"),
            ("王 ☃ я", b"Wang ? ya"),
            ("Иван Щукин", b"Ivan Shchukin"),
            ("Γιώργος Παπάς", b"Giorgos Papas"),
            ("김철수 محمد", b"GimCheolSu mhmd"),
            ("⅓ D´Água ´ ١٢", b"1/3 D\xB4\xC1gua \xB4 12"),
            ("\u{FFFD}👾", b"??"),
            ("a\u{200D}b\u{AD}c\u{202E}d\u{0}e", b"abcde"),
            (" two\u{A0}\t\r\n blanks ", b"two blanks"),
            ("\u{301}", b""),
            ("\u{200B} a \u{61C} b\u{2066}\u{3164} \u{E0041}", b"a b"),
        ] {
            assert_eq!(encode(text), written, "{text}");
        }
    }
}
