use contract::{
    Cell, Column, Fields, Layout, OptionalColumn, OptionalFields, Scanned, scan, trimmed,
};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::decode::shown;

/// Delimiters that are looked for, the most usual one first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// Delimiters that are not looked for, but known.
const OTHERS: [u8; 6] = *b"|:^~#/";
/// Most characters of the first line that are shown.
const MAX_SHOWN: usize = 80;
/// Lines that are looked at for a header that is not the first, and bytes.
const LINES_BELOW: usize = 20;
const BYTES_BELOW: usize = 4 * 1024;

/// The first record is not a header with all six columns.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Some of the columns are not there, or all.
    #[error("the header lacks the columns {}. The first line is: {line}{}", .missing.join(", "), .guess.advice())]
    Missing {
        /// Columns that are not there.
        missing: Vec<&'static str>,
        /// The line, fit to be shown.
        line: String,
        /// What is probably meant.
        guess: Guess,
    },
    /// Two columns of one meaning.
    #[error("the header has the column {column} more than once: {}. Keep only one", .names.join(", "))]
    Repeated {
        /// The column.
        column: &'static str,
        /// What the header calls it, fit to be shown.
        names: Vec<String>,
    },
}

impl HeaderError {
    /// How far a record is from a header: fewer is nearer.
    pub fn distance(&self) -> usize {
        match self {
            Self::Repeated { .. } => 0,
            Self::Missing { missing, .. } => missing.len(),
        }
    }
}

/// What a file without header probably is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guess {
    /// Nothing comes to mind.
    None,
    /// All of it stands in one cell, with these in between.
    OneCell,
    /// The header stands further down.
    Below {
        /// Number of its line, from 1.
        line: usize,
    },
    /// Its columns are separated by something else.
    Delimiter(char),
}

impl Guess {
    /// What to do then, to stand behind what is wrong.
    fn advice(&self) -> String {
        match self {
            Self::None => format!(". It should be: {}", Column::names().join(",")),
            Self::OneCell => {
                ". The whole header is in one cell: in the spreadsheet, split the column (Data > Text to Columns) and save it as CSV again".to_owned()
            }
            Self::Below { line } => {
                format!(". Line {line} looks like the header: delete the lines above it")
            }
            Self::Delimiter(delimiter) => format!(
                ". Its columns seem to be separated by {delimiter:?}: use commas, semicolons or tabs, or make sep={delimiter} the first line"
            ),
        }
    }
}

/// A header that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the records behind it hold the columns.
    pub layout: Layout,
    /// Where it ends.
    pub end: usize,
}

/// Finds the header of the file that starts with `head`; `Ok(None)` when more
/// of the file is needed to tell.
///
/// # Errors
/// What is wrong with the first record.
pub fn find_header(head: &[u8], is_whole: bool) -> Result<Option<Header>, HeaderError> {
    let start = start_of(head);
    let (start, declared) = match declared_delimiter(&head[start..]) {
        Some((delimiter, line)) => (start + line, Some(delimiter)),
        None => (start, None),
    };
    let delimiters = declared.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
    let mut nearest = Wrong::Missing(Column::names().to_vec());
    for delimiter in delimiters {
        match read(head, start, is_whole, delimiter) {
            Ok(found) => return Ok(found),
            Err(wrong) if wrong.distance() < nearest.distance() => nearest = wrong,
            Err(_) => {}
        }
    }
    Err(match nearest {
        Wrong::Repeated(column, names) => HeaderError::Repeated { column, names },
        Wrong::Missing(missing) => HeaderError::Missing {
            missing,
            line: quoted(first_line(&head[start..])),
            guess: guess(head, start),
        },
    })
}

/// Why a record is no header.
enum Wrong {
    Missing(Vec<&'static str>),
    Repeated(&'static str, Vec<String>),
}

impl Wrong {
    /// How far it is from one: fewer is nearer.
    fn distance(&self) -> usize {
        match self {
            Self::Repeated(..) => 0,
            Self::Missing(missing) => missing.len(),
        }
    }
}

/// Behind byte-order marks; programs that save a file again add one more.
pub(super) fn start_of(head: &[u8]) -> usize {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    head.chunks(MARK.len())
        .take_while(|chunk| *chunk == MARK)
        .count()
        * MARK.len()
}

/// The delimiter of a first line `sep=;`, as Excel reads it, and the length of
/// that line.
fn declared_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let line = &text[..memchr::memchr2(b'\n', b'\r', text)?];
    let bare = line.strip_prefix(b"\"").unwrap_or(line);
    let (word, rest) = bare.split_at_checked(4)?;
    let (delimiter, behind) = rest.split_first()?;
    let is_declared = word.eq_ignore_ascii_case(b"sep=")
        && !delimiter.is_ascii_alphanumeric()
        && !matches!(delimiter, b'"' | b' ')
        && matches!(behind.trim_ascii(), b"" | b"\"");
    let line_end = if text[line.len()..].starts_with(b"\r\n") {
        2
    } else {
        1
    };
    is_declared.then_some((*delimiter, line.len() + line_end))
}

/// The header in the first record from there on that is not blank.
fn read(
    head: &[u8],
    mut at: usize,
    is_whole: bool,
    delimiter: u8,
) -> Result<Option<Header>, Wrong> {
    let mut cells = Vec::new();
    loop {
        match scan(&head[at..], is_whole, delimiter, None, &mut cells) {
            Scanned::NeedsMore => return Ok(None),
            Scanned::Blank { len, .. } => at += len,
            Scanned::Record { len, .. } => {
                let record = &head[at..at + len];
                at += len;
                if cells.iter().all(|cell| cell.is_blank(record)) {
                    continue;
                }
                let names = names(record, &cells);
                let layout = Layout {
                    delimiter,
                    columns: columns(&names)?,
                    optional: optional_columns(&names),
                    width: cells.len(),
                };
                return Ok(Some(Header { layout, end: at }));
            }
            Scanned::End | Scanned::Endless | Scanned::Refused { .. } => {
                return Err(Wrong::Missing(Column::names().to_vec()));
            }
        }
    }
}

/// Where the columns stand in a record that is a header. Nearly every other
/// record has an address, and so is none at the first look.
pub(super) fn columns_of(record: &[u8], cells: &[Cell]) -> Option<Fields<usize>> {
    if memchr::memchr(b'@', record).is_some() || cells.len() < Column::ALL.len() {
        return None;
    }
    columns(&names(record, cells)).ok()
}

fn names(record: &[u8], cells: &[Cell]) -> Vec<String> {
    let name = |cell: &Cell| shown(cell.bytes(record)).into_owned();
    cells.iter().map(name).collect()
}

fn columns(names: &[String]) -> Result<Fields<usize>, Wrong> {
    let simplified: Vec<String> = names.iter().map(|name| self::simplified(name)).collect();
    let mut columns = Fields::of(|_| 0);
    let mut missing = Vec::new();
    for column in Column::ALL {
        let is_known = |place: &usize| column.headers().contains(&&*simplified[*place]);
        let places: Vec<usize> = (0..names.len()).filter(is_known).collect();
        match places[..] {
            [] => missing.push(column.name()),
            [place] => columns[column] = place,
            _ => {
                let names = places.iter().map(|place| quoted(names[*place].as_bytes()));
                return Err(Wrong::Repeated(column.name(), names.collect()));
            }
        }
    }
    if missing.is_empty() {
        Ok(columns)
    } else {
        Err(Wrong::Missing(missing))
    }
}

/// Where the optional columns stand that a header has. No file is refused for
/// them: of several of one meaning the first counts.
fn optional_columns(names: &[String]) -> OptionalFields<usize> {
    let simplified: Vec<String> = names.iter().map(|name| self::simplified(name)).collect();
    let place = |column: OptionalColumn| {
        let is_known = |name: &String| column.headers().contains(&&**name);
        Some((column, simplified.iter().position(is_known)?))
    };
    OptionalColumn::ALL.into_iter().filter_map(place).collect()
}

/// A name without what people write in many ways: case, accents, blanks, and
/// the punctuation of names. What separates columns stays: it is no part of
/// one.
fn simplified(name: &str) -> String {
    let is_kept = |character: &char| {
        !character.is_whitespace()
            && !is_combining_mark(*character)
            && !"-_./()$*".contains(*character)
    };
    trimmed(name)
        .nfkd()
        .filter(is_kept)
        .flat_map(char::to_lowercase)
        .collect()
}

/// What the text may be whose first record, from `start` on, is no header.
fn guess(head: &[u8], start: usize) -> Guess {
    let is_header = |text: &[u8], delimiter| matches!(read(text, 0, true, delimiter), Ok(Some(_)));
    let is_any_header = |text: &[u8]| {
        DELIMITERS
            .into_iter()
            .any(|delimiter| is_header(text, delimiter))
    };
    let text = &head[start..];
    let text = &text[..text.len().min(BYTES_BELOW)];
    let line = first_line(text);
    let mut cells = Vec::new();
    for delimiter in DELIMITERS {
        scan(line, true, delimiter, None, &mut cells);
        if cells
            .first()
            .is_some_and(|cell| is_any_header(cell.bytes(line)))
        {
            return Guess::OneCell;
        }
    }
    if let Some(delimiter) = OTHERS
        .into_iter()
        .find(|delimiter| is_header(line, *delimiter))
    {
        return Guess::Delimiter(char::from(delimiter));
    }
    let above = memchr::memchr_iter(b'\n', &head[..start]).count();
    let mut lines = text.split(|byte| *byte == b'\n').zip(above + 1..);
    let below = lines
        .by_ref()
        .take(LINES_BELOW)
        .find(|(line, _)| is_any_header(line));
    below.map_or(Guess::None, |(_, line)| Guess::Below { line })
}

/// The first line that is not blank.
fn first_line(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    let end = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    &text[..end]
}

/// A text that a client sent, as it may be shown: escaped, and cut.
fn quoted(text: &[u8]) -> String {
    let text = shown(text);
    let mut characters = text.chars().flat_map(char::escape_debug);
    let mut quoted: String = characters.by_ref().take(MAX_SHOWN).collect();
    if characters.next().is_some() {
        quoted.push('…');
    }
    format!("\"{quoted}\"")
}

#[cfg(test)]
mod tests;
