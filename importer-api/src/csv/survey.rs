use contract::Layout;
use thiserror::Error;

use super::header::columns_of;
use super::raw::lines_of;
use super::{Cutter, Header, HeaderError, NotCsv, Place, find_header};

/// A header is looked for once that many bytes are there, or the whole file:
/// what is said of one that is missing depends on the lines below.
const HEAD_BYTES: usize = 4 * 1024;
/// A header is looked for in that many bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// What one pass over a file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// How its records hold the columns.
    pub layout: Layout,
    /// Where its first data record may start.
    pub data_start: u64,
    /// Data records, blank lines excluded.
    pub rows: u64,
}

/// The file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SurveyError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// A header and nothing after it.
    #[error("the file has a header and no data")]
    NoData,
    /// Its text cannot be read.
    #[error("the file's text is in an unknown encoding; save it as CSV UTF-8")]
    Encoding,
    /// It is something else.
    #[error("{0}")]
    NotCsv(NotCsv),
    /// No header, or not the columns that are needed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Another file stands behind it.
    #[error(
        "line {line} is a second header with its columns in another order; split the file there"
    )]
    SecondHeader {
        /// Number of the line, from 1.
        line: u64,
    },
    /// More data records than are taken.
    #[error("the file has more than {most} rows (MAX_ROWS); split it")]
    TooManyRows {
        /// How many are taken.
        most: u64,
    },
}

/// Looks at a file while it comes in: finds its layout, counts its records.
#[derive(Debug)]
pub struct Survey {
    max_rows: u64,
    /// The start of the file, until its layout is known.
    head: Vec<u8>,
    /// The layout is looked for once the start is that long.
    look_at: usize,
    counting: Option<Counting>,
}

#[derive(Debug)]
struct Counting {
    cutter: Cutter,
    surveyed: Surveyed,
    max_rows: u64,
}

impl Survey {
    /// A survey that takes files of that many data records at most.
    pub const fn new(max_rows: u64) -> Self {
        Self {
            max_rows,
            head: Vec::new(),
            look_at: HEAD_BYTES,
            counting: None,
        }
    }

    /// Looks at the next piece of the file.
    pub fn look(&mut self, piece: &[u8]) -> Result<(), SurveyError> {
        if let Some(counting) = &mut self.counting {
            return counting.count(piece);
        }
        self.head.extend_from_slice(piece);
        if self.head.len() < self.look_at {
            return Ok(());
        }
        // Twice as much the next time: a client that sends byte by byte must
        // not have the start read from the beginning for each.
        self.look_at = self.head.len() * 2;
        self.find_layout(self.head.len() >= MAX_HEADER_BYTES)
    }

    /// What the whole file tells.
    pub fn finish(mut self) -> Result<Surveyed, SurveyError> {
        if self.counting.is_none() {
            self.find_layout(true)?;
        }
        let mut counting = self.counting.ok_or(SurveyError::Empty)?;
        counting.cutter.end();
        counting.count(&[])?;
        if counting.surveyed.rows == 0 {
            return Err(SurveyError::NoData);
        }
        Ok(counting.surveyed)
    }

    fn find_layout(&mut self, is_whole: bool) -> Result<(), SurveyError> {
        let is_nothing = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        if is_whole && self.head.iter().all(is_nothing) {
            return Err(SurveyError::Empty);
        }
        if let Some(kind) = NotCsv::by_signature(&self.head) {
            return Err(SurveyError::NotCsv(kind));
        }
        let found = find_header(&self.head, is_whole).map_err(|error| self.refusal(error))?;
        let Some(Header { layout, end }) = found else {
            return Ok(());
        };
        let place = Place {
            offset: end as u64,
            lines: lines_of(&self.head[..end]),
        };
        let mut counting = Counting {
            cutter: Cutter::new(layout.clone(), place),
            surveyed: Surveyed {
                layout,
                data_start: end as u64,
                rows: 0,
            },
            max_rows: self.max_rows,
        };
        let head = std::mem::take(&mut self.head);
        counting.count(&head[end..])?;
        self.counting = Some(counting);
        Ok(())
    }

    /// What is wrong with a file that has no header.
    fn refusal(&self, error: HeaderError) -> SurveyError {
        if let Some(kind) = NotCsv::by_text(&self.head) {
            SurveyError::NotCsv(kind)
        } else if self.head.contains(&0) {
            SurveyError::Encoding
        } else {
            error.into()
        }
    }
}

impl Counting {
    fn count(&mut self, piece: &[u8]) -> Result<(), SurveyError> {
        self.cutter.push(piece);
        let surveyed = &mut self.surveyed;
        while let Some(cut) = self.cutter.next_cut() {
            surveyed.rows += 1;
            let header = cut.cells.ok().and_then(|cells| columns_of(cut.raw, cells));
            if header.is_some_and(|columns| columns != surveyed.layout.columns) {
                let line = cut.place.lines + 1;
                return Err(SurveyError::SecondHeader { line });
            }
        }
        if self.surveyed.rows > self.max_rows {
            let most = self.max_rows;
            return Err(SurveyError::TooManyRows { most });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

    fn survey(text: &[u8], piece: usize) -> Result<Surveyed, SurveyError> {
        let mut survey = Survey::new(100);
        survey.look(b"")?;
        for piece in text.chunks(piece) {
            survey.look(piece)?;
            survey.look(b"")?;
        }
        survey.finish()
    }

    #[test]
    fn counts_records_whatever_the_pieces() {
        let text = format!(
            "{HEADER}\r\n\r\na,1,a@b.co,1,2024-01-01,1\r\n \n\"b\nc\",1,,,,\n;;\n,,,,,\nlast\n\"\",,\n\0\x1a"
        );
        for piece in [1, 2, 7, 1_000] {
            let surveyed = survey(text.as_bytes(), piece).unwrap();
            assert_eq!(surveyed.rows, 4, "in pieces of {piece}");
        }
    }

    #[test]
    fn refuses_what_has_no_data() {
        let cases: [(&[u8], SurveyError); 6] = [
            (b"", SurveyError::Empty),
            (b" \r\n\n", SurveyError::Empty),
            (&[0; 8_000], SurveyError::Empty),
            (HEADER.as_bytes(), SurveyError::NoData),
            (b"name\0,governmentId\n", SurveyError::Encoding),
            (b"%PDF-1.7", SurveyError::NotCsv(NotCsv::Other("a PDF"))),
        ];
        for (text, error) in cases {
            assert_eq!(survey(text, 1_000), Err(error));
        }
        let blank_lines = format!("{HEADER}\n\n  \n");
        assert_eq!(survey(blank_lines.as_bytes(), 9), Err(SurveyError::NoData));
    }

    #[test]
    fn a_second_header_of_another_order_is_refused() {
        let row = "a,1,a@b.co,1,2024-01-01,1\r\n";
        let again = format!("{HEADER}\r\n{row}{HEADER}\r\n{row}");
        assert_eq!(survey(again.as_bytes(), 9).unwrap().rows, 3);
        let other = "name,debtId,email,debtAmount,debtDueDate,governmentId";
        let both = format!("\n{HEADER}\r\n\r\n{row}{other}\r\n{row}");
        let refused = Err(SurveyError::SecondHeader { line: 5 });
        assert_eq!(survey(both.as_bytes(), 9), refused);
    }

    #[test]
    fn a_first_line_without_end_is_given_up_early() {
        let mut survey = Survey::new(100);
        let piece = vec![b'x'; MAX_HEADER_BYTES];
        assert!(matches!(survey.look(&piece), Err(SurveyError::Header(_))));
    }

    #[test]
    fn too_many_rows_are_refused_while_they_come_in() {
        let row = "a,1,a@b.co,1,2024-01-01,1\n";
        let most = format!("{HEADER}\n{}", row.repeat(100));
        assert_eq!(survey(most.as_bytes(), 64).unwrap().rows, 100);
        let mut survey = Survey::new(100);
        let endless = std::iter::once(HEADER).chain(std::iter::repeat("\na,b"));
        let refused = endless
            .take(3_000)
            .find_map(|piece| survey.look(piece.as_bytes()).err());
        assert_eq!(refused, Some(SurveyError::TooManyRows { most: 100 }));
    }
}
