use std::io::{self, BufRead};

use super::{Scanned, Scanner};

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
    scanner: Scanner,
    row: u64,
    /// Line ends before the next byte of the file.
    lines: u64,
    raw: Vec<u8>,
}

impl<R: BufRead> RawRecords<R> {
    /// `file` stands at its start, and its data records start at
    /// `data_start`.
    pub fn new(mut file: R, delimiter: u8, data_start: u64) -> io::Result<Self> {
        let mut lines = 0;
        let mut left = data_start;
        while left > 0 {
            let piece = file.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let used = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            lines += line_ends(&piece[..used]);
            file.consume(used);
            left -= used as u64;
        }
        Ok(Self {
            file,
            scanner: Scanner::new(delimiter),
            row: 0,
            lines,
            raw: Vec::new(),
        })
    }

    /// The record of that row, which must lie behind the last one that was
    /// asked for; `None` if the file has no such row.
    pub fn record(&mut self, row: u64) -> io::Result<Option<RawRecord>> {
        loop {
            let Some(line_ends_inside) = self.read_record()? else {
                return Ok(None);
            };
            let lines = self.lines;
            self.lines += line_ends_inside;
            if self.row == row {
                // Blank lines before a record are read together with it.
                let blank = blank_lines(&self.raw);
                return Ok(Some(RawRecord {
                    row,
                    line: lines + line_ends(&self.raw[..blank]) + 1,
                    bytes: self.raw[blank..].trim_ascii_end().to_vec(),
                }));
            }
        }
    }

    /// Reads the next record into `raw` and counts its line ends; `None` at
    /// the end of the file.
    fn read_record(&mut self) -> io::Result<Option<u64>> {
        self.raw.clear();
        let mut ends = 0;
        loop {
            let piece = self.file.fill_buf()?;
            let (used, scanned) = match piece {
                [] => (0, self.scanner.finish()),
                piece => self.scanner.scan(piece),
            };
            let found = match scanned {
                Scanned::NeedsMore => false,
                Scanned::End => return Ok(None),
                Scanned::Oversized | Scanned::Record(_) => true,
            };
            ends += line_ends(&piece[..used]);
            let room = MAX_KEPT - self.raw.len();
            self.raw.extend_from_slice(&piece[..used.min(room)]);
            self.file.consume(used);
            if found {
                self.row += 1;
                return Ok(Some(ends));
            }
        }
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Length of the lines of blanks at the start.
fn blank_lines(bytes: &[u8]) -> usize {
    let text = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    let before = &bytes[..text.unwrap_or(bytes.len())];
    let last_end = before.iter().rposition(|byte| *byte == b'\n');
    last_end.map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn records(text: &[u8], data_start: u64) -> RawRecords<BufReader<Cursor<&[u8]>>> {
        let file = BufReader::with_capacity(7, Cursor::new(text));
        RawRecords::new(file, b',', data_start).unwrap()
    }

    #[test]
    fn a_record_is_given_as_it_stands_with_its_line() {
        let text = b"h,e,a,d\n\n  \r\na,\"x\ny\",c\r\n\r\nd,e\nlast";
        let mut records = records(text, 8);
        let mut next = |row| {
            let record = records.record(row).unwrap().unwrap();
            (record.line, String::from_utf8(record.bytes).unwrap())
        };
        assert_eq!(next(1), (4, "a,\"x\ny\",c".into()));
        assert_eq!(next(2), (7, "d,e".into()));
        assert_eq!(next(3), (8, "last".into()));
        assert_eq!(records.record(4).unwrap(), None);
    }

    #[test]
    fn rows_may_be_passed_over_and_a_huge_one_is_cut() {
        let mut text = b"h\n".to_vec();
        text.extend_from_slice(&vec![b'x'; 3 * 256 * 1024]);
        text.extend_from_slice(b"\nb\nc\n");
        let huge = records(&text, 2).record(1).unwrap().unwrap();
        assert_eq!((huge.line, huge.bytes.len()), (2, MAX_KEPT));
        let third = records(&text, 2).record(3).unwrap().unwrap();
        assert_eq!((third.row, third.line, &*third.bytes), (3, 4, &b"c"[..]));
    }
}
