use csv_core::ReadRecordResult;

/// Most bytes of a record's text: more than a message can carry.
const MAX_RECORD_BYTES: usize = 256 * 1024;
/// Most fields of a record that are told apart.
const MAX_FIELDS: usize = 1_024;

/// Splits CSV text that comes in pieces into records, whatever their size, in
/// bounded memory.
#[derive(Debug)]
pub struct Scanner {
    csv: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    text_len: usize,
    ends_len: usize,
    /// Text or fields of the current record went beyond the limits.
    overflown: bool,
}

/// What the scanner found.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned<'a> {
    /// The piece is used up; the record, if one has begun, goes on.
    NeedsMore,
    /// A record, unquoted.
    Record(Vec<&'a [u8]>),
    /// A record larger or wider than any that could be sent.
    Oversized,
    /// The text has ended.
    End,
}

/// What one call of the CSV reader came to.
enum Step {
    NeedsMore,
    /// Nothing to tell: more room was made, or a blank line was passed over.
    Again,
    /// A record of that many fields.
    Record(usize),
    Oversized,
    End,
}

impl Scanner {
    /// A scanner at the start of a record.
    pub fn new(delimiter: u8) -> Self {
        Self {
            csv: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4 * 1024],
            ends: vec![0; 32],
            text_len: 0,
            ends_len: 0,
            overflown: false,
        }
    }

    /// Goes on in `piece`, and says how many of its bytes were used. Blank
    /// lines are passed over.
    pub fn scan(&mut self, piece: &[u8]) -> (usize, Scanned<'_>) {
        let mut used = 0;
        while used < piece.len() {
            let (read, step) = self.step(&piece[used..]);
            used += read;
            match step {
                Step::Record(fields) => return (used, Scanned::Record(self.fields(fields))),
                Step::Oversized => return (used, Scanned::Oversized),
                Step::NeedsMore | Step::Again | Step::End => {}
            }
        }
        (used, Scanned::NeedsMore)
    }

    /// The text has ended: gives its last record if that had no line end, and
    /// [`Scanned::End`] then.
    pub fn finish(&mut self) -> Scanned<'_> {
        loop {
            // For the CSV reader an empty piece is the end.
            match self.step(&[]).1 {
                Step::Record(fields) => return Scanned::Record(self.fields(fields)),
                Step::Oversized => return Scanned::Oversized,
                Step::End => return Scanned::End,
                Step::NeedsMore | Step::Again => {}
            }
        }
    }

    fn step(&mut self, piece: &[u8]) -> (usize, Step) {
        let (result, read, written, ends) = self.csv.read_record(
            piece,
            &mut self.text[self.text_len..],
            &mut self.ends[self.ends_len..],
        );
        self.text_len += written;
        self.ends_len += ends;
        let step = match result {
            ReadRecordResult::InputEmpty => Step::NeedsMore,
            ReadRecordResult::OutputFull => self.grow_text(),
            ReadRecordResult::OutputEndsFull => self.grow_ends(),
            ReadRecordResult::End => Step::End,
            ReadRecordResult::Record => self.end_record(),
        };
        (read, step)
    }

    fn end_record(&mut self) -> Step {
        let fields = std::mem::take(&mut self.ends_len);
        self.text_len = 0;
        if std::mem::take(&mut self.overflown) {
            Step::Oversized
        } else if self.is_blank(fields) {
            Step::Again
        } else {
            Step::Record(fields)
        }
    }

    /// A line of blanks is no record.
    fn is_blank(&self, fields: usize) -> bool {
        fields == 1
            && self.text[..self.ends[0]]
                .iter()
                .all(u8::is_ascii_whitespace)
    }

    fn fields(&self, count: usize) -> Vec<&[u8]> {
        let mut start = 0;
        let field = |end: &usize| {
            let field = &self.text[start..*end];
            start = *end;
            field
        };
        self.ends[..count].iter().map(field).collect()
    }

    /// More room, up to the limit; beyond it the text is dropped.
    fn grow_text(&mut self) -> Step {
        if self.text.len() < MAX_RECORD_BYTES {
            self.text.resize(self.text.len() * 2, 0);
        } else {
            self.overflown = true;
            self.text_len = 0;
        }
        Step::Again
    }

    fn grow_ends(&mut self) -> Step {
        if self.ends.len() < MAX_FIELDS {
            self.ends.resize(self.ends.len() * 2, 0);
        } else {
            self.overflown = true;
            self.ends_len = 0;
        }
        Step::Again
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a text that comes in pieces of that many bytes.
    fn records(text: &[u8], piece: usize) -> Vec<Option<Vec<Vec<u8>>>> {
        let mut scanner = Scanner::new(b',');
        let mut found = Vec::new();
        let mut keep = |scanned: Scanned<'_>| match scanned {
            Scanned::Record(fields) => {
                found.push(Some(fields.iter().map(|field| field.to_vec()).collect()));
                true
            }
            Scanned::Oversized => {
                found.push(None);
                true
            }
            Scanned::NeedsMore | Scanned::End => false,
        };
        for mut rest in text.chunks(piece) {
            loop {
                let (used, next) = scanner.scan(rest);
                rest = &rest[used..];
                if !keep(next) {
                    break;
                }
            }
        }
        while keep(scanner.finish()) {}
        found
    }

    #[test]
    fn blank_lines_and_lines_of_blanks_are_no_records() {
        let text = b"a,b\r\n\r\n\n   \nc,d\n \t \n\n";
        assert_eq!(records(text, 64).len(), 2);
        assert_eq!(records(b"\n\n  \n", 64).len(), 0);
        assert_eq!(records(b"", 64).len(), 0);
    }

    #[test]
    fn a_record_of_any_size_takes_bounded_memory_and_the_next_one_is_whole() {
        let mut text = vec![b'x'; 3 * MAX_RECORD_BYTES];
        text.extend_from_slice(b"\n");
        text.extend_from_slice(",".repeat(5_000).as_bytes());
        text.extend_from_slice(b"\nc,d");
        let found = records(&text, 64 * 1024);
        assert_eq!(found[..2], [None, None]);
        assert_eq!(found[2], Some(vec![b"c".to_vec(), b"d".to_vec()]));
        let mut scanner = Scanner::new(b',');
        scanner.scan(&text);
        assert!(scanner.text.len() <= MAX_RECORD_BYTES && scanner.ends.len() <= MAX_FIELDS);
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_makes_no_difference(
            text in prop::collection::vec(prop::sample::select(&b"ab,\"\r\n "[..]), 0..200),
            piece in 1_usize..20,
        ) {
            prop_assert_eq!(records(&text, piece), records(&text, 1_000));
        }

        #[test]
        fn reads_what_the_csv_crate_writes(
            rows in prop::collection::vec(prop::collection::vec("[a-z\",\n\r;é ]{0,12}x", 2..5), 0..8),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let expected: Vec<_> = rows
                .iter()
                .map(|row| Some(row.iter().map(|field| field.clone().into_bytes()).collect()))
                .collect();
            prop_assert_eq!(records(&text, 7), expected);
        }
    }
}
