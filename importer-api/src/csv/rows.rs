use std::borrow::Cow;
use std::io::{self, BufRead};

use common::contract::{COLUMNS, InvalidReason, RecordWriter};
use encoding_rs::WINDOWS_1252;
use serde::{Deserialize, Serialize};

use super::{Layout, Scanned, Scanner};

/// A place in a file between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Data records before it.
    pub rows: u64,
}

/// A data record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1.
    pub number: u64,
    /// What is to be sent for it.
    pub body: RowBody,
}

/// What is to be sent for a data record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowBody {
    /// The body of its message.
    Message(String),
    /// It cannot be sent.
    Invalid(InvalidReason),
}

/// The data records of a file, from a position on.
#[derive(Debug)]
pub struct Rows<R> {
    file: R,
    layout: Layout,
    scanner: Scanner,
    writer: RecordWriter,
    position: Position,
}

impl<R: BufRead> Rows<R> {
    /// `file` stands at `position`.
    pub fn new(file: R, layout: Layout, position: Position) -> Self {
        Self {
            file,
            scanner: Scanner::new(layout.delimiter),
            layout,
            writer: RecordWriter::default(),
            position,
        }
    }

    /// Where the next record starts, or blank lines before it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next data record; `None` at the end of the file.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        loop {
            let piece = self.file.fill_buf()?;
            let (used, scanned) = match piece {
                [] => (0, self.scanner.finish()),
                piece => self.scanner.scan(piece),
            };
            let body = match scanned {
                Scanned::NeedsMore => None,
                Scanned::End => return Ok(None),
                Scanned::Oversized => Some(RowBody::Invalid(InvalidReason::TooLarge)),
                Scanned::Record(fields) => Some(body(&self.layout, &mut self.writer, &fields)),
            };
            self.file.consume(used);
            self.position.offset += used as u64;
            if let Some(body) = body {
                self.position.rows += 1;
                let number = self.position.rows;
                return Ok(Some(Row { number, body }));
            }
        }
    }
}

/// The fields in the contract's order. A record whose fields do not fit the
/// header is sent as it stands, so that it is refused like any other bad
/// record; unless it would by chance have as many fields as a good one.
fn body(layout: &Layout, writer: &mut RecordWriter, fields: &[&[u8]]) -> RowBody {
    let text = if fields.len() == layout.width {
        let fields = layout.columns.map(|column| fields[column]);
        decoded(writer.write(fields))
    } else if fields.len() == COLUMNS.len() {
        return RowBody::Invalid(InvalidReason::FieldCount {
            found: fields.len(),
            expected: layout.width,
        });
    } else {
        decoded(writer.write(fields.iter().copied()))
    };
    if text.chars().all(is_carried) {
        RowBody::Message(text)
    } else {
        RowBody::Invalid(InvalidReason::Characters)
    }
}

/// UTF-8 where it is valid, Windows-1252 otherwise: decided record by record,
/// so that it does not depend on where reading starts, and a file that mixes
/// the two is still read as it was meant.
pub fn decoded(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(error.as_bytes());
            Cow::into_owned(text)
        }
    }
}

/// What SQS takes: `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD |
/// #x10000-#x10FFFF` (API reference of `SendMessage`).
fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Seek, SeekFrom};

    use proptest::prelude::*;

    use super::super::Survey;
    use super::*;

    const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId\n";
    const START: Position = Position { offset: 0, rows: 0 };

    fn rows_of(text: &[u8]) -> Vec<RowBody> {
        let mut survey = Survey::default();
        survey.look(text).unwrap();
        let surveyed = survey.finish().unwrap();
        let mut file = Cursor::new(text);
        file.seek(SeekFrom::Start(surveyed.data_start)).unwrap();
        let mut rows = Rows::new(BufReader::with_capacity(16, file), surveyed.layout, START);
        let mut bodies = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            bodies.push(row.body);
            assert_eq!(row.number, bodies.len() as u64);
        }
        assert_eq!(bodies.len() as u64, surveyed.rows);
        bodies
    }

    fn message(text: &str) -> RowBody {
        RowBody::Message(text.to_owned())
    }

    #[test]
    fn fields_come_in_the_order_of_the_contract() {
        let text = "debtId;extra;email;name;debtAmount;governmentId;debtDueDate\n\
                    7;x;a@b.co;\"Souza; filho\";1.000,00;001;2024-01-19\r\n";
        assert_eq!(
            rows_of(text.as_bytes()),
            [message("Souza; filho,001,a@b.co,\"1.000,00\",2024-01-19,7")]
        );
    }

    #[test]
    fn text_is_utf_8_or_windows_1252() {
        let mut text = HEADER.as_bytes().to_vec();
        text.extend_from_slice("João,1,a@b.co,1,2024-01-19,1\n".as_bytes());
        text.extend_from_slice(b"Jo\xe3o \x80,1,a@b.co,1,2024-01-19,2\n");
        assert_eq!(
            rows_of(&text),
            [
                message("João,1,a@b.co,1,2024-01-19,1"),
                message("João €,1,a@b.co,1,2024-01-19,2"),
            ]
        );
    }

    #[test]
    fn a_record_of_another_width_is_never_taken_for_a_good_one() {
        let text = format!("{HEADER}a,b,c\na,b,c,d,e,f,g\n");
        assert_eq!(
            rows_of(text.as_bytes()),
            [message("a,b,c"), message("a,b,c,d,e,f,g")]
        );
        let wide = format!("extra,{HEADER}a,b,c,d,e,f\n");
        let expected = InvalidReason::FieldCount {
            found: 6,
            expected: 7,
        };
        assert_eq!(rows_of(wide.as_bytes()), [RowBody::Invalid(expected)]);
    }

    #[test]
    fn what_a_message_cannot_carry_is_invalid() {
        let text = format!("{HEADER}a\0b,1\na\u{ffff},1\na\tb,1\n");
        assert_eq!(
            rows_of(text.as_bytes()),
            [
                RowBody::Invalid(InvalidReason::Characters),
                RowBody::Invalid(InvalidReason::Characters),
                message("a\tb,1"),
            ]
        );
    }

    proptest! {
        #[test]
        fn reading_goes_on_from_any_position(
            lines in prop::collection::vec("[a\",\r\n é]{0,12}", 1..12),
            stop_after in 0_usize..12,
        ) {
            let text = lines.join("\n").into_bytes();
            let layout = Layout { delimiter: b',', columns: [0, 1, 2, 3, 4, 5], width: 6 };
            let read = |position: Position| {
                let mut file = Cursor::new(&text);
                file.seek(SeekFrom::Start(position.offset)).unwrap();
                let mut rows = Rows::new(BufReader::with_capacity(8, file), layout.clone(), position);
                let mut found = Vec::new();
                while let Some(row) = rows.next_row().unwrap() {
                    found.push((row, rows.position()));
                }
                found
            };
            let whole = read(START);
            if let Some((_, position)) = whole.get(stop_after) {
                prop_assert_eq!(&read(*position)[..], &whole[stop_after + 1..]);
            }
        }
    }
}
