//! A file in UTF-16 or UTF-32 → UTF-8, while it comes in.

use std::borrow::Cow;

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};

/// Bytes that tell the encoding of a file.
const TELLING: usize = 4;

/// Converts a file that comes in pieces to UTF-8, where it is UTF-16 or
/// UTF-32: by its byte-order mark, or where the zeros of its first two
/// characters show it. Any other file stays as it is.
#[derive(Default)]
pub struct Conversion {
    /// The start of the file, as long as it is too short to tell.
    start: Vec<u8>,
    from: Option<From>,
}

enum From {
    /// As it is.
    Bytes,
    Utf16(Decoder),
    Utf32 {
        is_big_endian: bool,
        /// The start of a character that is not whole.
        rest: Vec<u8>,
    },
}

impl std::fmt::Debug for Conversion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversion").finish_non_exhaustive()
    }
}

impl Conversion {
    /// What is to be read for the next piece of the file. What is no
    /// character becomes U+FFFD, as which a row is refused.
    pub fn convert<'p>(&mut self, piece: &'p [u8]) -> Cow<'p, [u8]> {
        if self.from.is_none() {
            self.start.extend_from_slice(piece);
            if self.start.len() < TELLING {
                return Cow::Borrowed(&[]);
            }
            let start = std::mem::take(&mut self.start);
            return Cow::Owned(self.with_start(start));
        }
        self.converted(piece, false)
    }

    /// What is to be read for the end of the file.
    pub fn end(&mut self) -> Vec<u8> {
        let start = std::mem::take(&mut self.start);
        let mut last = self.with_start(start);
        last.extend_from_slice(&self.converted(&[], true));
        last
    }

    fn with_start(&mut self, start: Vec<u8>) -> Vec<u8> {
        if self.from.is_none() {
            self.from = Some(From::of(&start));
        }
        match self.converted(&start, false) {
            Cow::Borrowed(_) => start,
            Cow::Owned(converted) => converted,
        }
    }

    fn converted<'p>(&mut self, piece: &'p [u8], is_last: bool) -> Cow<'p, [u8]> {
        match &mut self.from {
            None | Some(From::Bytes) => Cow::Borrowed(piece),
            Some(From::Utf16(decoder)) => Cow::Owned(utf16(decoder, piece, is_last)),
            Some(From::Utf32 {
                is_big_endian,
                rest,
            }) => {
                rest.extend_from_slice(piece);
                Cow::Owned(utf32(rest, *is_big_endian, is_last))
            }
        }
    }
}

impl From {
    fn of(start: &[u8]) -> Self {
        let utf32 = |is_big_endian| Self::Utf32 {
            is_big_endian,
            rest: Vec::new(),
        };
        match *start {
            [0xff, 0xfe, 0, 0, ..] | [1..=255, 0, 0, 0, ..] => utf32(false),
            [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=255, ..] => utf32(true),
            [0xff, 0xfe, ..] => Self::Utf16(UTF_16LE.new_decoder_with_bom_removal()),
            [0xfe, 0xff, ..] => Self::Utf16(UTF_16BE.new_decoder_with_bom_removal()),
            [1..=255, 0, 1..=255, 0, ..] => {
                Self::Utf16(UTF_16LE.new_decoder_without_bom_handling())
            }
            [0, 1..=255, 0, 1..=255, ..] => {
                Self::Utf16(UTF_16BE.new_decoder_without_bom_handling())
            }
            _ => Self::Bytes,
        }
    }
}

fn utf16(decoder: &mut Decoder, mut piece: &[u8], is_last: bool) -> Vec<u8> {
    // Three bytes for each of UTF-16's two, and room for what is pending.
    let mut text = vec![0; piece.len() / 2 * 3 + 16];
    let mut written = 0;
    loop {
        let (result, read, more, _) = decoder.decode_to_utf8(piece, &mut text[written..], is_last);
        piece = &piece[read..];
        written += more;
        match result {
            CoderResult::InputEmpty => break,
            CoderResult::OutputFull => text.resize(text.len() * 2, 0),
        }
    }
    text.truncate(written);
    text
}

fn utf32(rest: &mut Vec<u8>, is_big_endian: bool, is_last: bool) -> Vec<u8> {
    const MARK: char = '\u{feff}';
    let (characters, cut) = rest.as_chunks::<4>();
    let read = if is_big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    let character =
        |bytes: &[u8; 4]| char::from_u32(read(*bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
    // A mark is none of the text; that there is one more does no harm.
    let mut text: String = characters
        .iter()
        .map(character)
        .filter(|c| *c != MARK)
        .collect();
    if is_last && !cut.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    let cut = cut.len();
    rest.drain(..rest.len() - cut);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(file: &[u8], piece: usize) -> String {
        let mut conversion = Conversion::default();
        let mut text = Vec::new();
        for piece in file.chunks(piece) {
            text.extend_from_slice(&conversion.convert(piece));
        }
        text.extend_from_slice(&conversion.end());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn utf_16_and_utf_32_are_converted_with_a_mark_or_without() {
        const TEXT: &str = "name;João 日本 𝄞\r\n";
        type Write = fn(char) -> Vec<u8>;
        let writers: [Write; 4] = [
            |c| {
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .flat_map(|unit| unit.to_le_bytes())
                    .collect()
            },
            |c| {
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes())
                    .collect()
            },
            |c| u32::from(c).to_le_bytes().to_vec(),
            |c| u32::from(c).to_be_bytes().to_vec(),
        ];
        for write in writers {
            let file: Vec<u8> = TEXT.chars().flat_map(write).collect();
            let marked: Vec<u8> = write('\u{feff}').into_iter().chain(file.clone()).collect();
            for piece in [1, 2, 3, 5, 1_000] {
                assert_eq!(converted(&file, piece), TEXT);
                assert_eq!(converted(&marked, piece), TEXT);
            }
            let cut = converted(&marked[..marked.len() - 1], 7);
            assert!(cut.ends_with("\r\u{fffd}"), "{cut:?}");
        }
    }

    #[test]
    fn any_other_file_stays_as_it_is() {
        for text in [
            "",
            "a",
            "abc",
            "name,João\n",
            "\u{feff}name",
            "\0\0\0\0",
            "a\0b",
        ] {
            for piece in [1, 1_000] {
                assert_eq!(converted(text.as_bytes(), piece), text);
            }
        }
    }
}
