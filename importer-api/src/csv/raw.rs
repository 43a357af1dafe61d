use std::io::{self, Read};

use contract::Layout;

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
}

/// The data records of a file as they stand there, from the first one on.
#[derive(Debug)]
pub struct RawRecords<R> {
    file: R,
    cutter: Cutter,
    row: u64,
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
            cutter: Cutter::new(layout, place),
            row: 0,
        })
    }

    /// What it reads from.
    pub const fn file(&mut self) -> &mut R {
        &mut self.file
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
                    let shown = &cut.raw[..cut.raw.len().min(MAX_KEPT)];
                    return Ok(Some(RawRecord {
                        row,
                        line: cut.place.lines + 1,
                        bytes: shown.trim_ascii_end().to_vec(),
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
