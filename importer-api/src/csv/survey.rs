use thiserror::Error;

use super::{Layout, LayoutError, Scanned, Scanner};

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
    /// UTF-16 or UTF-32.
    #[error("the file is UTF-16 text; save it as CSV UTF-8")]
    Utf16,
    /// No header, or not the columns that are needed.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// Looks at a file while it comes in: finds its layout, counts its records.
#[derive(Debug, Default)]
pub struct Survey {
    /// The start of the file, until its layout is known.
    head: Vec<u8>,
    /// The layout is looked for again once the start is that long.
    look_at: usize,
    counting: Option<Counting>,
}

#[derive(Debug)]
struct Counting {
    scanner: Scanner,
    surveyed: Surveyed,
}

impl Survey {
    /// Looks at the next piece of the file.
    pub fn look(&mut self, piece: &[u8]) -> Result<(), SurveyError> {
        if let Some(counting) = &mut self.counting {
            counting.count(piece);
            return Ok(());
        }
        self.head.extend_from_slice(piece);
        let is_whole = self.head.len() >= MAX_HEADER_BYTES;
        if self.head.len() < self.look_at && !is_whole {
            return Ok(());
        }
        // Twice as much the next time: a client that sends byte by byte must
        // not have the start read from the beginning for each.
        self.look_at = self.head.len() * 2;
        self.find_layout(is_whole)
    }

    /// What the whole file tells.
    pub fn finish(mut self) -> Result<Surveyed, SurveyError> {
        if self.counting.is_none() {
            self.find_layout(true)?;
        }
        let mut counting = self.counting.ok_or(SurveyError::Empty)?;
        counting.count_last();
        if counting.surveyed.rows == 0 {
            return Err(SurveyError::NoData);
        }
        Ok(counting.surveyed)
    }

    fn find_layout(&mut self, is_whole: bool) -> Result<(), SurveyError> {
        if self.head.starts_with(b"\xff\xfe") || self.head.starts_with(b"\xfe\xff") {
            return Err(SurveyError::Utf16);
        }
        if is_whole && self.head.iter().all(u8::is_ascii_whitespace) {
            return Err(SurveyError::Empty);
        }
        let Some((layout, data_start)) = Layout::detect(&self.head, is_whole)? else {
            return Ok(());
        };
        let mut counting = Counting {
            scanner: Scanner::new(layout.delimiter),
            surveyed: Surveyed {
                layout,
                data_start: data_start as u64,
                rows: 0,
            },
        };
        let head = std::mem::take(&mut self.head);
        counting.count(&head[data_start..]);
        self.counting = Some(counting);
        Ok(())
    }
}

impl Counting {
    fn count(&mut self, mut piece: &[u8]) {
        loop {
            let (used, scanned) = self.scanner.scan(piece);
            match scanned {
                Scanned::Record(_) | Scanned::Oversized => self.surveyed.rows += 1,
                Scanned::NeedsMore | Scanned::End => return,
            }
            piece = &piece[used..];
        }
    }

    /// A last record may have no line end.
    fn count_last(&mut self) {
        while self.scanner.finish() != Scanned::End {
            self.surveyed.rows += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

    fn survey(text: &[u8], piece: usize) -> Result<Surveyed, SurveyError> {
        let mut survey = Survey::default();
        survey.look(b"")?;
        for piece in text.chunks(piece) {
            survey.look(piece)?;
            survey.look(b"")?;
        }
        survey.finish()
    }

    #[test]
    fn counts_records_whatever_the_pieces() {
        let text = format!("{HEADER}\r\n\r\na,1,a@b.co,1,2024-01-01,1\r\n \n\"b\nc\",x\nlast");
        for piece in [1, 2, 7, 1_000] {
            let surveyed = survey(text.as_bytes(), piece).unwrap();
            assert_eq!(surveyed.rows, 3, "in pieces of {piece}");
        }
    }

    #[test]
    fn refuses_what_has_no_data() {
        let cases: [(&[u8], SurveyError); 5] = [
            (b"", SurveyError::Empty),
            (b" \r\n\n", SurveyError::Empty),
            (HEADER.as_bytes(), SurveyError::NoData),
            (b"\xff\xfen\0a\0m\0e\0", SurveyError::Utf16),
            (b"\x89PNG\r\n\x1a\n", LayoutError::NoHeader.into()),
        ];
        for (text, error) in cases {
            assert_eq!(survey(text, 1_000), Err(error));
        }
        let blank_lines = format!("{HEADER}\n\n  \n");
        assert_eq!(survey(blank_lines.as_bytes(), 9), Err(SurveyError::NoData));
    }

    #[test]
    fn a_first_line_without_end_is_given_up_early() {
        let mut survey = Survey::default();
        let piece = vec![b'x'; MAX_HEADER_BYTES];
        assert_eq!(survey.look(&piece), Err(LayoutError::NoHeader.into()));
    }
}
