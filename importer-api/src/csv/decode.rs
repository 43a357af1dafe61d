//! Bytes of a record → text.

use std::borrow::Cow;

use contract::{Cell, InvalidReason, trimmed};
use encoding_rs::WINDOWS_1252;

/// A record as text: UTF-8 where it is valid UTF-8, Windows-1252 where every
/// byte makes sense as that and none is UTF-8. It is decided record by record,
/// so that it depends neither on where reading starts nor on other records, and
/// a file that mixes the two is still read as it was meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoded<'t> {
    /// It is valid UTF-8.
    Utf8(&'t str),
    /// It is not.
    Windows1252(&'t [u8]),
}

impl<'t> Decoded<'t> {
    /// Finds out what a record is.
    ///
    /// # Errors
    /// [`InvalidReason::Encoding`] where it is neither.
    pub(super) fn of(record: &'t [u8]) -> Result<Self, InvalidReason> {
        match std::str::from_utf8(record) {
            Ok(text) if text.contains(char::REPLACEMENT_CHARACTER) => Err(InvalidReason::Encoding),
            Ok(text) => Ok(Self::Utf8(text)),
            Err(_) if has_utf8(record) || !is_windows_1252(record) => Err(InvalidReason::Encoding),
            Err(_) => Ok(Self::Windows1252(record)),
        }
    }

    /// The text of one of its cells, without blanks at both ends.
    ///
    /// # Errors
    /// Where it was converted twice, or a message cannot carry it.
    pub(super) fn cell(self, cell: &Cell) -> Result<Cow<'t, str>, InvalidReason> {
        let text = match self {
            Self::Utf8(record) => cell.text(record).unwrap_or_default(),
            Self::Windows1252(record) => {
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(cell.bytes(record));
                if cell.is_escaped() {
                    Cow::Owned(text.replace("\"\"", "\""))
                } else {
                    text
                }
            }
        };
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
            Cow::Owned(text) if trimmed(&text).len() == text.len() => Cow::Owned(text),
            Cow::Owned(text) => Cow::Owned(trimmed(&text).to_owned()),
        };
        if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(text)
        } else if is_converted_twice(&text) {
            Err(InvalidReason::Encoding)
        } else if text.chars().all(is_carried) {
            Ok(text)
        } else {
            Err(InvalidReason::Characters)
        }
    }
}

/// A text as near as can be to what was meant, to show it to people.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Err(_) if !has_utf8(bytes) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Whether some of it can only be UTF-8: then its other bytes are damage.
fn has_utf8(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// Whether every byte makes sense as Windows-1252: it is in use there, and
/// stands where people write it. Letters of DOS (CP850) and of old Macs become
/// signs within or behind words, and capitals within them.
fn is_windows_1252(bytes: &[u8]) -> bool {
    let is_unused = |byte: &u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    if bytes.iter().any(is_unused) {
        return false;
    }
    let mut before = b' ';
    let behind = bytes.iter().skip(1).copied().chain([b' ']);
    bytes.iter().zip(behind).all(|(byte, behind)| {
        let before = std::mem::replace(&mut before, *byte);
        let is_capital_in_word = before.is_ascii_lowercase() && is_capital(*byte);
        let is_sign_in_word = is_letter(before) && is_letter(behind) && is_sign(*byte);
        let is_dash_in_word = before.is_ascii_lowercase()
            && behind.is_ascii_lowercase()
            && matches!(byte, 0x96 | 0x97);
        let is_behind_word = is_letter(before) && is_never_behind_word(*byte);
        !(is_capital_in_word || is_sign_in_word || is_dash_in_word || is_behind_word)
    })
}

/// Whether the byte is a letter of Windows-1252.
const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0xc0 && !matches!(byte, 0xd7 | 0xf7)
}

/// Whether the byte is a capital of Windows-1252 beyond ASCII.
const fn is_capital(byte: u8) -> bool {
    matches!(byte, 0x8a | 0x8c | 0x8e | 0x9f | 0xc0..=0xd6 | 0xd8..=0xde)
}

/// What does not stand between two letters. Apostrophes, accents in their
/// place, dashes, blanks and ordinals do.
const fn is_sign(byte: u8) -> bool {
    matches!(byte,
        0x80 | 0x82..=0x89 | 0x8b | 0x93..=0x95 | 0x98 | 0x99 | 0x9b
        | 0xa1..=0xa9 | 0xab | 0xac | 0xae | 0xaf | 0xb1..=0xb3 | 0xb5 | 0xb6 | 0xb8 | 0xb9
        | 0xbb..=0xbf | 0xd7 | 0xf7)
}

/// What does not even end a word: low quotes, currencies, `¡` and the like.
const fn is_never_behind_word(byte: u8) -> bool {
    matches!(byte,
        0x82..=0x84 | 0x86..=0x88 | 0x8b | 0xa1..=0xa6 | 0xac | 0xb5 | 0xbf)
}

/// Whether UTF-8 was taken for another encoding and converted again:
/// `AssociaÃ§Ã£o` by Windows-1252, `Associa├º├úo` by DOS, `Associa√ß√£o` by a Mac.
/// No word has the second character behind the first.
fn is_converted_twice(text: &str) -> bool {
    let is_box = |c: char| matches!(c, '\u{2500}'..='\u{259f}' | '√');
    let is_second = |c: char| {
        matches!(c, '\u{80}'..='\u{9f}' | '\u{a1}'..='\u{ad}' | '\u{af}'..='\u{bf}')
            || "€‚ƒ„†‡ˆ‰Š‹ŒŽ˜š›œžŸ".contains(c)
    };
    // They may stand behind a word, and not within it.
    let ends_word = |c: char| "®™‘’“”•–—…".contains(c);
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        let is_first = matches!(first, 'Ã' | 'Â');
        let Some(second) = characters.peek().copied() else {
            return is_box(first);
        };
        let is_within = || characters.clone().nth(1).is_some_and(char::is_alphabetic);
        if is_box(first) || is_first && (is_second(second) || ends_word(second) && is_within()) {
            return true;
        }
    }
    false
}

/// What SQS takes: `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD |
/// #x10000-#x10FFFF` (API reference of `SendMessage`).
fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read(record: &[u8]) -> bool {
        Decoded::of(record).is_ok()
    }

    #[test]
    fn a_record_is_one_of_two_encodings_or_refused() {
        assert!(matches!(
            Decoded::of("João".as_bytes()),
            Ok(Decoded::Utf8("João"))
        ));
        for record in [
            &b"Jo\xe3o \x80 5"[..],
            b"D\x92\xc1vila, Sant\xb4Ana, N\xba 5, M\xaa",
            b"CAF\xc9 \x93MANH\xc3\x94",
            b"Jo\xe3o\xa0da\xa0Silva",
        ] {
            let is_1252 = matches!(Decoded::of(record), Ok(Decoded::Windows1252(_)));
            // Ã and a closing quote are the two bytes of Ô.
            assert_eq!(is_1252, !has_utf8(record), "{record:x?}");
        }
        for record in [
            // A name that was cut within a character.
            &b"Associa\xc3\xa7\xc3\xa3o S\xc3"[..],
            b"Jo\xc3\xa3o Concei\xe7\xe3o",
            // CP850 and Mac Roman.
            b"Jo\xc6o da Concei\x87\xc6o",
            b"Jos\x82 Ant\x93nio",
            b"Jo\x8bo da Concei\x8d\x8bo",
            b"\x81",
            b"Jo\xc6o",
            b"Jos\x8e Silva",
            b"Jos\x82 Silva",
            b"Vit\x97ria",
            b"L\xa3cia",
            // Damaged before it came here.
            "Jo\u{fffd}o".as_bytes(),
        ] {
            assert!(!is_read(record), "{record:x?}");
        }
    }

    #[test]
    fn what_was_converted_twice_is_known() {
        for text in [
            "AssociaÃ§Ã£o",
            "Fatura-nÂº-1",
            "JosÃ©",
            "ANTÃ\u{94}NIO",
            "Ã‰rica",
            "Ã\u{ad}",
            "VITÃ“RIA",
            "ANTÃ”NIO",
            "NUÃ‘EZ",
            "Jo├úo",
            "Jos├®",
            "Jo√£o",
        ] {
            assert!(is_converted_twice(text), "{text}");
        }
        for text in [
            "Associação",
            "IRMÃ",
            "CAFÉ DA MANHÃ”",
            "MÃE",
            "Â",
            "SÃO JOSÉ",
            "nº 1",
            "ROMÃ® Ltda",
            "“IRMÃ”",
            "Ã ",
        ] {
            assert!(!is_converted_twice(text), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_as_near_as_can_be() {
        assert_eq!(shown(b"Jo\xe3o"), "João");
        assert_eq!(shown(b"Jo\xc3\xa3o S\xc3"), "João S\u{fffd}");
    }
}
