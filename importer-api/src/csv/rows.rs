use std::borrow::Cow;
use std::io::{self, Read};

use common::ledger::Checkpoint;
use contract::{Cell, Column, Fields, InvalidReason, Layout, OptionalFields, write_record};
use serde::{Deserialize, Serialize};

use super::decode::Decoded;
use super::header::columns_of;
use super::{Cutter, Place};

/// A place in a file between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Data records before it.
    pub rows: u64,
}

impl From<Position> for Checkpoint {
    fn from(Position { offset, rows }: Position) -> Self {
        Self { rows, offset }
    }
}

/// A data record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1.
    pub number: u64,
    /// What is to be sent for it.
    pub body: RowBody,
    /// Its line of the attribute `columns`, where the file has an optional
    /// column.
    pub columns: Option<String>,
}

/// What is to be sent for a data record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowBody {
    /// The body of its message.
    Message(String),
    /// It can only be INVALID, for its form.
    Invalid(InvalidReason),
}

/// The data records of a file, from a position on.
#[derive(Debug)]
pub struct Rows<R> {
    file: R,
    layout: Layout,
    cutter: Cutter,
    /// Data records before the next one.
    count: u64,
}

impl<R: Read> Rows<R> {
    /// `file` stands at `position`.
    pub fn new(file: R, layout: Layout, position: Position) -> Self {
        let place = Place {
            offset: position.offset,
            lines: 0,
        };
        Self {
            file,
            cutter: Cutter::new(layout.clone(), place),
            layout,
            count: position.rows,
        }
    }

    /// What it reads from.
    pub const fn file(&mut self) -> &mut R {
        &mut self.file
    }

    /// Where the next record starts, or blank lines before it.
    pub fn position(&self) -> Position {
        Position {
            offset: self.cutter.place().offset,
            rows: self.count,
        }
    }

    /// The next data record; `None` at the end of the file.
    ///
    /// # Errors
    /// Those of the file. After one of the kind `WouldBlock` it can go on.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        loop {
            if let Some(cut) = self.cutter.next_cut() {
                self.count += 1;
                let message = cut
                    .cells
                    .and_then(|cells| message(&self.layout, cut.raw, cells));
                let (body, columns) = match message {
                    Ok((body, columns)) => (RowBody::Message(body), columns),
                    Err(reason) => (RowBody::Invalid(reason), None),
                };
                return Ok(Some(Row {
                    number: self.count,
                    body,
                    columns,
                }));
            }
            if self.cutter.is_whole() {
                return Ok(None);
            }
            self.cutter.read_from(&mut self.file)?;
        }
    }
}

/// The message of a record: its fields in the contract's order, and its line of
/// the attribute `columns`.
fn message(
    layout: &Layout,
    raw: &[u8],
    cells: &[Cell],
) -> Result<(String, Option<String>), InvalidReason> {
    if !layout.fits(raw, cells) {
        return Err(InvalidReason::FieldCount {
            found: cells.len(),
            expected: layout.width,
        });
    }
    if columns_of(raw, cells).is_some() {
        return Err(InvalidReason::Header);
    }
    let record = Decoded::of(raw)?;
    let mut fields = Fields::of(|_| Cow::Borrowed(""));
    for column in Column::ALL {
        fields[column] = record.cell(&cells[layout.columns[column]])?;
    }
    let body = write_record(fields.in_order().map(AsRef::as_ref));
    let has_columns = !layout.optional.is_empty();
    Ok((body, has_columns.then(|| columns(layout, record, cells))))
}

/// What a record has of the optional columns. No row is INVALID for them: what
/// is not there or cannot be carried is left out.
fn columns(layout: &Layout, record: Decoded<'_>, cells: &[Cell]) -> String {
    let mut values = OptionalFields::default();
    for (column, place) in layout.optional.iter() {
        let cell = cells.get(*place);
        if let Some(Ok(value)) = cell.map(|cell| record.cell(cell)) {
            values.put(column, &value);
        }
    }
    values.to_line()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Seek, SeekFrom};

    use super::super::Survey;
    use super::*;

    const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId\n";
    const START: Position = Position { offset: 0, rows: 0 };

    fn rows_of(text: &[u8]) -> Vec<RowBody> {
        let mut survey = Survey::new(1_000);
        survey.look(text).unwrap();
        let surveyed = survey.finish().unwrap();
        let mut file = Cursor::new(text);
        file.seek(SeekFrom::Start(surveyed.data_start)).unwrap();
        let mut rows = Rows::new(file, surveyed.layout, START);
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
    fn an_optional_column_travels_beside_the_record_and_spoils_no_row() {
        let header = HEADER.trim_end();
        let text = format!(
            "Telefone,{header}\n{1},{0}\n,{0}\n{2},{0}\n\"a\nb\",{0}\n9,a,1\n",
            "a,1,a@b.co,1,2024-01-19,7", "+55 11 91234-5678", "a\0b"
        );
        let mut survey = Survey::new(1_000);
        survey.look(text.as_bytes()).unwrap();
        let surveyed = survey.finish().unwrap();
        let file = &text.as_bytes()[usize::try_from(surveyed.data_start).unwrap()..];
        let mut rows = Rows::new(file, surveyed.layout, START);
        let good = || message("a,1,a@b.co,1,2024-01-19,7");
        for columns in [
            r#"{"phone":"+55 11 91234-5678"}"#,
            "{}",
            "{}",
            r#"{"phone":"a\nb"}"#,
        ] {
            let row = rows.next_row().unwrap().unwrap();
            assert_eq!((row.body, row.columns.as_deref()), (good(), Some(columns)));
        }
        let bad = rows.next_row().unwrap().unwrap();
        assert!(matches!(bad.body, RowBody::Invalid(_)) && bad.columns.is_none());
    }

    #[test]
    fn text_is_utf_8_or_windows_1252() {
        let mut text = HEADER.as_bytes().to_vec();
        text.extend_from_slice("João,1,a@b.co,1,2024-01-19,1\n".as_bytes());
        text.extend_from_slice(b"Jo\xe3o \x80,1,a@b.co,1,2024-01-19,2\n");
        text.extend_from_slice(b"\"\"\"Z\xe9\"\"\",1,a@b.co,1,2024-01-19,3\n");
        text.extend_from_slice(HEADER.as_bytes());
        text.extend_from_slice(b"S\xc3\xa3o S\xc3,1,a@b.co,1,2024-01-19,4\n");
        text.extend_from_slice("JosÃ©,1,a@b.co,1,2024-01-19,5\n".as_bytes());
        assert_eq!(
            rows_of(&text),
            [
                message("João,1,a@b.co,1,2024-01-19,1"),
                message("João €,1,a@b.co,1,2024-01-19,2"),
                message("\"\"\"Zé\"\"\",1,a@b.co,1,2024-01-19,3"),
                RowBody::Invalid(InvalidReason::Header),
                RowBody::Invalid(InvalidReason::Encoding),
                RowBody::Invalid(InvalidReason::Encoding),
            ]
        );
    }

    #[test]
    fn empty_cells_at_the_end_may_be_there_or_not() {
        let header = HEADER.trim_end();
        let text = format!(
            "{header},note,more\n{0}\n{0},\n{0},x,y\n{0},,,, \n{0},x,y,\n{0},x,y,z\na,1,a@b.co,1,2024-01-19\n,,,,,,,\n",
            "a,1,a@b.co,1,2024-01-19,7"
        );
        let good = message("a,1,a@b.co,1,2024-01-19,7");
        let bad = |found| RowBody::Invalid(InvalidReason::FieldCount { found, expected: 8 });
        assert_eq!(
            rows_of(text.as_bytes()),
            [
                good.clone(),
                good.clone(),
                good.clone(),
                good,
                bad(9),
                bad(9),
                bad(5)
            ]
        );
    }

    #[test]
    fn what_a_message_cannot_carry_is_invalid() {
        let text = format!("{HEADER}a\0b,1,,,,\na\u{ffff}c,1,,,,\na\tb\0,1,,,,\n");
        assert_eq!(
            rows_of(text.as_bytes()),
            [
                RowBody::Invalid(InvalidReason::Characters),
                RowBody::Invalid(InvalidReason::Characters),
                message("a\tb,1,,,,"),
            ]
        );
    }
}
