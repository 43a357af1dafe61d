use std::io::{self, Read};

use contract::{Cell, Column, Layout, Scanned, scan};

use super::decode::shown;
use super::header::start_of;
use super::{Cutter, Place};

/// Most bytes of a record that are kept; of a longer one the start is.
const MAX_KEPT: usize = 64 * 1024;
/// A data record as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Its number among the data records, from 1.
    pub row: u64,
    /// Number of the line that it starts on, from 1; the header is a line.
    pub line: u64,
    /// Its bytes without the line end.
    pub bytes: Vec<u8>,
    /// The texts of its cells; where it cannot be cut into them, all of it is one.
    pub cells: Vec<String>,
}

/// The data records of a file as they stand there, from the first one on.
#[derive(Debug)]
pub struct RawRecords<R> {
    file: R,
    cutter: Cutter,
    row: u64,
    header: Vec<String>,
    layout: Layout,
}

impl<R: Read> RawRecords<R> {
    /// `file` stands at its start, and its data records start at
    /// `data_start`.
    pub fn new(mut file: R, layout: Layout, data_start: u64) -> io::Result<Self> {
        // A header is small.
        let mut head = Vec::new();
        file.by_ref().take(data_start).read_to_end(&mut head)?;
        let place = Place {
            offset: data_start,
            lines: lines_of(&head),
        };
        Ok(Self {
            file,
            header: header_of(&head, layout.delimiter),
            cutter: Cutter::new(layout.clone(), place),
            layout,
            row: 0,
        })
    }

    /// What it reads from.
    pub const fn file(&mut self) -> &mut R {
        &mut self.file
    }

    /// The names in its header.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// What separates its cells.
    pub const fn delimiter(&self) -> u8 {
        self.layout.delimiter
    }

    /// Where a column stands.
    pub fn place_of(&self, column: Column) -> usize {
        self.layout.columns[column]
    }

    /// The record of that row, which must lie behind the last one that was
    /// asked for; `None` if the file has no such row.
    ///
    /// # Errors
    /// Those of the file. After one of the kind `WouldBlock` it can go on.
    pub fn record(&mut self, row: u64) -> io::Result<Option<RawRecord>> {
        loop {
            while let Some(cut) = self.cutter.next_cut() {
                self.row += 1;
                if self.row == row {
                    let bytes = cut.raw[..cut.raw.len().min(MAX_KEPT)].trim_ascii_end();
                    let cells = cut.cells.map(|cells| texts(cut.raw, cells));
                    return Ok(Some(RawRecord {
                        row,
                        line: cut.place.lines + 1,
                        cells: cells.unwrap_or_else(|_| vec![shown(bytes).into_owned()]),
                        bytes: bytes.to_vec(),
                    }));
                }
            }
            if self.cutter.is_whole() {
                return Ok(None);
            }
            self.cutter.read_from(&mut self.file)?;
        }
    }
}

/// The last record before the data.
fn header_of(head: &[u8], delimiter: u8) -> Vec<String> {
    let (mut at, mut header, mut cells) = (start_of(head), Vec::new(), Vec::new());
    loop {
        match scan(&head[at..], true, delimiter, None, &mut cells) {
            Scanned::Record { len, .. } => {
                header = texts(&head[at..at + len], &cells);
                at += len;
            }
            Scanned::Blank { len, .. } | Scanned::Refused { len, .. } => at += len,
            Scanned::End | Scanned::NeedsMore | Scanned::Endless => return header,
        }
    }
}

fn texts(record: &[u8], cells: &[Cell]) -> Vec<String> {
    let text = |cell: &Cell| {
        let text = shown(cell.bytes(record));
        if cell.is_escaped() {
            text.replace("\"\"", "\"")
        } else {
            text.into_owned()
        }
    };
    cells.iter().map(text).collect()
}

/// Line ends: LF, CR LF or CR.
pub(super) fn lines_of(text: &[u8]) -> u64 {
    let is_end = |(index, byte): (usize, &u8)| match byte {
        b'\n' => true,
        b'\r' => text.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    text.iter()
        .enumerate()
        .filter(|place| is_end(*place))
        .count() as u64
}
