//! What becomes of a damaged line, and of the good ones around it: whatever stands in a file, no
//! row of it vanishes and none is changed by another.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Cursor, Read, Seek, SeekFrom};

use contract::read_record;
use importer_api::csv::{
    Cutter, Place, Position, RawRecords, Row, RowBody, Rows, Survey, Surveyed,
};
use testkit::for_each_seed;

/// Files of each law; `FILES=100000` reads that many.
#[expect(clippy::disallowed_methods, reason = "no service reads it")]
fn files() -> u64 {
    let files = std::env::var("FILES").ok();
    files.map_or(3_000, |files| files.parse().unwrap())
}

/// A file with one damaged line.
#[derive(Debug)]
struct Damaged {
    delimiter: u8,
    header: Vec<u8>,
    before: Vec<Vec<u8>>,
    /// Without its line end.
    bad: Vec<u8>,
    behind: Vec<Vec<u8>>,
    line_end: &'static [u8],
}

/// Draws files.
struct Draw(fastrand::Rng);

impl Draw {
    fn file(&mut self) -> Damaged {
        let delimiter = self.one_of(b",;\t");
        let line_end = self.0.choice([&b"\n"[..], b"\r\n"]).unwrap();
        let mut columns = vec![
            "name",
            "governmentId",
            "email",
            "debtAmount",
            "debtDueDate",
            "debtId",
        ];
        columns.extend_from_slice(&["note", "more"][..self.0.usize(..3)]);
        self.0.shuffle(&mut columns);
        let mut number = 0;
        let mut line = |draw: &mut Self| {
            number += 1;
            let cells: Vec<_> = columns
                .iter()
                .map(|column| draw.cell(column, delimiter, number))
                .collect();
            cells.join(&delimiter)
        };
        let before: Vec<_> = (0..self.0.usize(..4)).map(|_| line(self)).collect();
        let damaged = line(self);
        let damaged = self.damage(damaged, delimiter);
        let behind = (0..self.0.usize(1..5)).map(|_| line(self)).collect();
        Damaged {
            delimiter,
            header: columns
                .join(&*String::from(char::from(delimiter)))
                .into_bytes(),
            before,
            bad: damaged,
            behind,
            line_end,
        }
    }

    fn one_of(&mut self, bytes: &[u8]) -> u8 {
        *self.0.choice(bytes).unwrap()
    }

    /// A cell of a good line.
    fn cell(&mut self, column: &str, delimiter: u8, number: u32) -> Vec<u8> {
        let (text, may_break) = match column {
            "name" => (self.words(delimiter), true),
            "note" | "more" if self.0.bool() => (self.words(delimiter), true),
            "note" | "more" => (Vec::new(), true),
            "governmentId" => (self.0.u32(..).to_string().into_bytes(), false),
            "email" => (b"a@b.co".to_vec(), false),
            "debtAmount" => (b"10.50".to_vec(), false),
            "debtDueDate" => (b"2027-01-31".to_vec(), false),
            _ if self.0.u8(..4) == 0 => return format!("=\"{number}\"").into_bytes(),
            _ => (format!("id-{number}").into_bytes(), false),
        };
        let text: Vec<u8> = text
            .into_iter()
            .filter(|byte| may_break || *byte != b'\n')
            .collect();
        let needs_quotes = text
            .iter()
            .any(|byte| [delimiter, b'"', b'\n'].contains(byte));
        if !needs_quotes && self.0.bool() {
            return text;
        }
        let mut quoted = vec![b'"'];
        for byte in text {
            quoted.push(byte);
            if byte == b'"' {
                quoted.push(byte);
            }
        }
        quoted.push(b'"');
        quoted
    }

    /// A text as people write it, which starts and ends with a letter.
    fn words(&mut self, delimiter: u8) -> Vec<u8> {
        let mut text = b"Ana".to_vec();
        for _ in 0..self.0.usize(..5) {
            let word: &[u8] = match self.0.u8(..10) {
                0 => &[delimiter],
                1 => b"\"",
                2 => b"\n",
                3 => "ção".as_bytes(),
                4 => b" ",
                _ => b"Silva",
            };
            text.extend_from_slice(word);
        }
        text.extend_from_slice(b"Ltda");
        text
    }

    /// A line with something wrong in it, which is not blank.
    fn damage(&mut self, mut line: Vec<u8>, delimiter: u8) -> Vec<u8> {
        for _ in 0..self.0.usize(1..4) {
            let at = self.0.usize(..=line.len());
            match self.0.u8(..8) {
                0 => line.truncate(at),
                1 => drop(line.drain(..at)),
                2 | 3 => line.insert(at, b'"'),
                4 => line.insert(at, delimiter),
                5 if at < line.len() => drop(line.remove(at)),
                6 => line.insert(at, self.0.u8(..)),
                _ => line.insert(at, self.one_of(b"\"\"\\'=\xc3\xff\0 \r\n")),
            }
        }
        line.push(b'x');
        line
    }
}

impl Damaged {
    fn text(&self) -> Vec<u8> {
        let lines = [
            std::slice::from_ref(&self.header),
            &self.before,
            std::slice::from_ref(&self.bad),
            &self.behind,
        ];
        lines
            .concat()
            .iter()
            .flat_map(|line| [line, self.line_end].concat())
            .collect()
    }

    /// The messages of the good lines alone.
    fn alone(&self, lines: &[Vec<u8>]) -> Vec<RowBody> {
        let message = |line: &Vec<u8>| {
            let file = [&*self.header, line].join(self.line_end);
            let rows = bodies(&file);
            assert_eq!(rows.len(), 1, "{:?}", String::from_utf8_lossy(line));
            let RowBody::Message(body) = &rows[0] else {
                panic!("{rows:?} of {:?}", String::from_utf8_lossy(line));
            };
            read_record(body).unwrap();
            rows[0].clone()
        };
        lines.iter().map(message).collect()
    }
}

fn survey(file: &[u8], pieces: &mut fastrand::Rng) -> Surveyed {
    let mut survey = Survey::new(1_000);
    let mut rest = file;
    while !rest.is_empty() {
        let piece;
        (piece, rest) = rest.split_at(pieces.usize(1..=rest.len()));
        survey.look(piece).unwrap();
    }
    survey.finish().unwrap()
}

/// All rows from a position on, each with the position behind it.
fn rows(file: impl Read, surveyed: &Surveyed, from: Position) -> Vec<(Row, Position)> {
    let mut rows = Rows::new(file, surveyed.layout.clone(), from);
    let mut found = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        found.push((row, rows.position()));
    }
    found
}

fn bodies(file: &[u8]) -> Vec<RowBody> {
    let surveyed = survey(file, &mut fastrand::Rng::with_seed(7));
    let from = Position {
        offset: surveyed.data_start,
        rows: 0,
    };
    let rows = rows(
        &file[usize::try_from(from.offset).unwrap()..],
        &surveyed,
        from,
    );
    assert_eq!(rows.len() as u64, surveyed.rows);
    rows.into_iter().map(|(row, _)| row.body).collect()
}

#[test]
fn a_damaged_line_costs_itself_and_nothing_else() {
    for_each_seed(files(), |seed| {
        let file = Draw(fastrand::Rng::with_seed(seed)).file();
        let text = file.text();
        let shown = String::from_utf8_lossy(&text);
        let found = bodies(&text);
        let (before, behind) = (file.alone(&file.before), file.alone(&file.behind));
        let middle = found.len().checked_sub(before.len() + behind.len());
        let middle = middle.unwrap_or_else(|| panic!("rows are gone: {shown}"));
        assert_eq!(found[..before.len()], before, "{shown}");
        assert_eq!(found[before.len() + middle..], behind, "{shown}");
        let physical = file.bad.split(|byte| matches!(byte, b'\n' | b'\r'));
        let is_blank = |line: &&[u8]| {
            line.iter()
                .all(|byte| byte.is_ascii_whitespace() || [file.delimiter, 0, 0x1a].contains(byte))
        };
        let lines = physical.filter(|line| !is_blank(line)).count();
        assert!(
            (1..=lines).contains(&middle),
            "{middle} of {lines}: {shown}"
        );
    });
}

#[test]
fn the_pieces_and_the_place_where_reading_starts_make_no_difference() {
    for_each_seed(files(), |seed| {
        let text = Draw(fastrand::Rng::with_seed(seed)).file().text();
        let mut pieces = fastrand::Rng::with_seed(seed);
        let surveyed = survey(&text, &mut pieces);
        assert_eq!(surveyed, survey(&text, &mut fastrand::Rng::with_seed(7)));
        let start = Position {
            offset: surveyed.data_start,
            rows: 0,
        };
        let data = |from: Position| &text[usize::try_from(from.offset).unwrap()..];
        let whole = rows(data(start), &surveyed, start);
        assert_eq!(whole.len() as u64, surveyed.rows);
        let places: Vec<_> = whole.iter().map(|(_, behind)| behind.offset).collect();
        assert_eq!(
            places_in_pieces(data(start), &surveyed, &mut pieces),
            places
        );
        for (index, (_, from)) in whole.iter().enumerate() {
            assert_eq!(
                rows(data(*from), &surveyed, *from),
                whole[index + 1..],
                "from {from:?}"
            );
        }
    });
}

/// Where each row ends, of a file that comes in pieces.
fn places_in_pieces(mut file: &[u8], surveyed: &Surveyed, sizes: &mut fastrand::Rng) -> Vec<u64> {
    let place = Place {
        offset: surveyed.data_start,
        lines: 0,
    };
    let mut cutter = Cutter::new(surveyed.layout.clone(), place);
    let mut places = Vec::new();
    loop {
        while cutter.next_cut().is_some() {
            places.push(cutter.place().offset);
        }
        if cutter.is_whole() {
            return places;
        }
        let size = sizes.usize(..40).min(file.len());
        cutter.push(file.split_off(..size).unwrap());
        if file.is_empty() {
            cutter.end();
        }
    }
}

#[test]
fn rejections_show_the_line_that_a_row_began_on() {
    for_each_seed(files(), |seed| {
        let text = Draw(fastrand::Rng::with_seed(seed)).file().text();
        let surveyed = survey(&text, &mut fastrand::Rng::with_seed(seed));
        let start = Position {
            offset: surveyed.data_start,
            rows: 0,
        };
        let mut file = Cursor::new(&text);
        file.seek(SeekFrom::Start(start.offset)).unwrap();
        let mut from = start;
        let mut records =
            RawRecords::new(Cursor::new(&text), surveyed.layout.clone(), start.offset).unwrap();
        for (row, behind) in rows(file, &surveyed, start) {
            let range =
                usize::try_from(from.offset).unwrap()..usize::try_from(behind.offset).unwrap();
            let record = records.record(row.number).unwrap().unwrap();
            // What was taken for the row ends with the record; blank lines stand before it.
            let taken = text[range.clone()].trim_ascii_end();
            assert!(taken.ends_with(&record.bytes), "{record:?} in {taken:?}");
            let at = range.start + taken.len() - record.bytes.len();
            let line = lines_before(&text[..at]) + 1;
            assert_eq!(record.line, line, "{:?}", String::from_utf8_lossy(&text));
            from = behind;
        }
    });
}

/// Line ends: LF, CR LF, CR.
fn lines_before(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    text.matches('\n').count() as u64
}
