//! Any file, uploaded in any pieces: nothing panics, as many rows are read as the upload's survey
//! has counted, and reading on from any checkpoint gives the rest of them.

#![no_main]

use arbitrary::Arbitrary;
use contract::Layout;
use importer_api::csv::{Conversion, Position, Rows, Survey, Surveyed};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Upload<'a> {
    header: Header,
    /// Sizes of the pieces in turn, less one.
    sizes: [u8; 3],
    /// The row after which reading is taken up anew.
    checkpoint: u8,
    data: &'a [u8],
}

/// What the file starts with; few inputs would have a header otherwise.
#[derive(Debug, Arbitrary)]
enum Header {
    None,
    Comma,
    Semicolon,
    TabAndQuotes,
    OneMoreColumn,
}

impl Header {
    fn text(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Comma => "name,governmentId,email,debtAmount,debtDueDate,debtId\n",
            Self::Semicolon => "debtID;email;debtDueDate;name;debtAmount;governmentId\r\n",
            Self::TabAndQuotes => {
                "\u{feff}\"name\"\t\"governmentId\"\temail\tdebtAmount\tdebtDueDate\tdebtId\r"
            }
            Self::OneMoreColumn => "name,governmentId,note,email,debtAmount,debtDueDate,debtId\n",
        }
    }
}

/// A file that comes in pieces, and at its end in none.
struct Pieces<'a> {
    sizes: Vec<usize>,
    turn: usize,
    file: &'a [u8],
}

impl<'a> Pieces<'a> {
    fn new(file: &'a [u8], sizes: [u8; 3]) -> Self {
        Self {
            sizes: sizes.map(|size| usize::from(size) + 1).into(),
            turn: 0,
            file,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let size = self.sizes[self.turn % self.sizes.len()].min(self.file.len());
        self.turn += 1;
        let piece = self.file.split_off(..size)?;
        (!piece.is_empty()).then_some(piece)
    }
}

/// What is kept of a file that comes in pieces.
fn converted(pieces: Pieces<'_>) -> Vec<u8> {
    let mut conversion = Conversion::default();
    let mut text: Vec<u8> = Vec::new();
    for piece in pieces {
        text.extend_from_slice(&conversion.convert(piece));
    }
    text.extend_from_slice(&conversion.end());
    text
}

fn survey(pieces: Pieces<'_>) -> Option<Surveyed> {
    let mut survey = Survey::new(u64::MAX);
    for piece in pieces {
        survey.look(piece).ok()?;
    }
    survey.finish().ok()
}

/// Reads from a position to the end; gives the position behind each row.
fn read(file: &[u8], layout: &Layout, from: Position) -> Vec<Position> {
    let start = usize::try_from(from.offset).expect("the file is in memory");
    let mut rows = Rows::new(&file[start..], layout.clone(), from);
    let mut positions = Vec::new();
    while let Some(row) = rows.next_row().expect("memory can be read") {
        positions.push(rows.position());
        assert_eq!(row.number, from.rows + positions.len() as u64);
    }
    assert_eq!(rows.position().offset, file.len() as u64);
    positions
}

fuzz_target!(|upload: Upload<'_>| {
    let file = [upload.header.text().as_bytes(), upload.data].concat();
    let text = converted(Pieces::new(&file, upload.sizes));
    assert_eq!(text, converted(Pieces::new(&file, [u8::MAX; 3])));
    let file = text;
    let Some(surveyed) = survey(Pieces::new(&file, upload.sizes)) else {
        return;
    };
    let start = Position {
        offset: surveyed.data_start,
        rows: 0,
    };

    let positions = read(&file, &surveyed.layout, start);

    assert_eq!(positions.len() as u64, surveyed.rows);
    let checkpoint = usize::from(upload.checkpoint) % positions.len();
    let rest = read(&file, &surveyed.layout, positions[checkpoint]);
    assert_eq!(rest, positions[checkpoint + 1..]);
});
