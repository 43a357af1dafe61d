//! Where a record of CSV text ends, and where its cells are.
//!
//! RFC 4180, read strictly: a quoted cell closes with a quote that a delimiter
//! or a line end follows. A record of which that does not hold is refused, and
//! only the physical line that it began on goes with it. So a stray quote
//! costs its own line, never the lines behind it.
//!
//! What is found depends on the text from the start of the record on, and on
//! nothing before: reading may be taken up at any record.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::{Cell, InvalidReason, Layout};

/// Most bytes of a record: more than a message can carry.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;
/// Most cells of a record: as many columns as a spreadsheet has.
const MAX_CELLS: usize = 16 * 1024;
/// Most line breaks in a cell of a file: more than a name or an address takes.
pub const MAX_LINE_BREAKS: usize = 10;

/// What stands at the start of a text. Lengths are in bytes and include the
/// line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// Nothing more.
    End,
    /// That is not to be told before more of the text is there.
    NeedsMore,
    /// A line that is longer than [`MAX_RECORD_BYTES`], and its end is not
    /// there.
    Endless,
    /// No record: a blank line, or what some programs put at the end of a
    /// file.
    Blank {
        /// Length.
        len: usize,
        /// Physical lines: 0 or 1.
        lines: u64,
    },
    /// A record; its cells were put into the list.
    Record {
        /// Length.
        len: usize,
        /// Physical lines, 1 or more.
        lines: u64,
    },
    /// A physical line that cannot be read.
    Refused {
        /// Length.
        len: usize,
        /// Why.
        reason: InvalidReason,
    },
}

/// Looks at the start of a text, which is the start of a line. `is_whole`:
/// nothing follows the text.
///
/// With the layout of a file, records of nothing but delimiters are blank, and
/// a record on several lines is read only where it cannot be taken for the
/// halves of two: its line breaks, [`MAX_LINE_BREAKS`] a cell at most, stand
/// in a name or in a column of others, it has the header's columns, no later
/// line of it could be a row, and no row ends or begins within its quotes.
pub fn scan(
    text: &[u8],
    is_whole: bool,
    delimiter: u8,
    layout: Option<&Layout>,
    cells: &mut Vec<Cell>,
) -> Scanned {
    cells.clear();
    if text.is_empty() {
        return if is_whole {
            Scanned::End
        } else {
            Scanned::NeedsMore
        };
    }
    let padding = text.iter().take_while(|byte| is_padding(**byte)).count();
    if padding > 0 {
        return Scanned::Blank {
            len: padding,
            lines: 0,
        };
    }
    // What is behind the last record is looked at by the next call.
    let may_be_last = is_whole && text.len() <= MAX_RECORD_BYTES;
    let behind = text
        .iter()
        .rev()
        .take_while(|byte| may_be_last && is_padding(**byte));
    let text = &text[..text.len() - behind.count()];
    let walk = Walk {
        text,
        is_whole,
        delimiter,
        layout,
    };
    match memchr3(b'\n', b'\r', b'"', text) {
        Some(at) if text[at] == b'"' => walk.record_with_quotes(cells),
        end => walk.plain_line(end, cells),
    }
}

/// What DOS programs (1A) and files of a fixed size (NUL) have behind their
/// text.
const fn is_padding(byte: u8) -> bool {
    matches!(byte, 0 | 0x1a)
}

/// Why a record is not read.
enum Stop {
    /// Its end is not there.
    Open,
    /// Only the second half of its line end may not be there.
    AtLineEnd,
    /// Its quotes do not pair.
    Broken,
    /// It has more than [`MAX_CELLS`] cells.
    TooWide,
}

/// A quoted cell as it was found.
struct Quoted {
    cell: Cell,
    line_breaks: usize,
    /// Behind its closing quote.
    behind: usize,
}

#[derive(Clone, Copy)]
struct Walk<'t> {
    text: &'t [u8],
    is_whole: bool,
    delimiter: u8,
    layout: Option<&'t Layout>,
}

impl Walk<'_> {
    /// The usual case: no quote before the line end, which is at `end`.
    fn plain_line(self, end: Option<usize>, cells: &mut Vec<Cell>) -> Scanned {
        let end = match end {
            Some(end) => end,
            None if self.is_whole => self.text.len(),
            None if self.text.len() > MAX_RECORD_BYTES => return Scanned::Endless,
            None => return Scanned::NeedsMore,
        };
        let Some(len) = self.behind_line_end(end) else {
            return Scanned::NeedsMore;
        };
        let line = &self.text[..end];
        let is_empty = |byte: &u8| {
            byte.is_ascii_whitespace() || *byte == self.delimiter && self.layout.is_some()
        };
        if line.iter().all(is_empty) {
            return Scanned::Blank { len, lines: 1 };
        }
        if end > MAX_RECORD_BYTES {
            let reason = InvalidReason::TooLarge;
            return Scanned::Refused { len, reason };
        }
        let mut start = 0;
        for delimiter in memchr_iter(self.delimiter, line) {
            if cells.len() + 1 >= MAX_CELLS {
                let reason = InvalidReason::TooLarge;
                return Scanned::Refused { len, reason };
            }
            cells.push(Cell::plain(start, delimiter));
            start = delimiter + 1;
        }
        cells.push(Cell::plain(start, end));
        Scanned::Record { len, lines: 1 }
    }

    fn record_with_quotes(self, cells: &mut Vec<Cell>) -> Scanned {
        let found = self.record(cells).and_then(|found| self.unambiguous(found));
        let first_line = memchr2(b'\n', b'\r', self.text);
        let Some(first_line) = first_line.or(self.is_whole.then_some(self.text.len())) else {
            return if self.text.len() > MAX_RECORD_BYTES {
                Scanned::Endless
            } else {
                Scanned::NeedsMore
            };
        };
        let reason = match found {
            _ if first_line > MAX_RECORD_BYTES => InvalidReason::TooLarge,
            Ok((end, lines)) => {
                // The line end was there when the record was found.
                let len = self.behind_line_end(end).unwrap_or(end);
                let is_nothing = |cell: &Cell| cell.is_blank(self.text);
                return if self.layout.is_some() && cells.iter().all(is_nothing) {
                    Scanned::Blank { len, lines }
                } else {
                    Scanned::Record { len, lines }
                };
            }
            Err(Stop::Open | Stop::AtLineEnd) => return Scanned::NeedsMore,
            Err(Stop::TooWide) => InvalidReason::TooLarge,
            Err(Stop::Broken) => InvalidReason::Quotes,
        };
        match self.behind_line_end(first_line) {
            Some(len) => Scanned::Refused { len, reason },
            None => Scanned::NeedsMore,
        }
    }

    /// Refuses a record on several lines of which a later one may begin a
    /// record of its own: then the quote before it was never closed, and the
    /// one that seems to close it opens another cell.
    fn unambiguous(self, (end, lines): (usize, u64)) -> Result<(usize, u64), Stop> {
        let Some(layout) = self.layout.filter(|_| lines > 1) else {
            return Ok((end, lines));
        };
        let mut cells = Vec::new();
        let mut at = 0;
        while let Some(line) = memchr2(b'\n', b'\r', &self.text[at..end]) {
            at = self.behind_line_end(at + line).unwrap_or(end);
            let rest = Self {
                text: &self.text[at..],
                ..self
            };
            cells.clear();
            match rest.record(&mut cells) {
                Ok(_) if layout.fits(rest.text, &cells) => return Err(Stop::Broken),
                Ok(_) | Err(Stop::Broken | Stop::TooWide) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok((end, lines))
    }

    /// Finds the cells, and looks that the record is not too long.
    fn record(self, cells: &mut Vec<Cell>) -> Result<(usize, u64), Stop> {
        match self.cells(cells) {
            Ok((end, _)) if end > MAX_RECORD_BYTES => Err(Stop::Broken),
            Err(Stop::Open) if self.text.len() > MAX_RECORD_BYTES => Err(Stop::Broken),
            found => found,
        }
    }

    /// Finds the cells; gives where the record ends, without its line end,
    /// and how many lines it stands on.
    fn cells(self, cells: &mut Vec<Cell>) -> Result<(usize, u64), Stop> {
        let mut at = 0;
        let mut lines = 1;
        let mut has_literal_quotes = false;
        loop {
            let behind = if let Some(quote) = self.opening_quote(at) {
                let quoted = self.quoted(quote + 1)?;
                if quoted.line_breaks > 0 && self.is_doubtful(&quoted, cells.len()) {
                    return Err(Stop::Broken);
                }
                lines += quoted.line_breaks as u64;
                cells.push(quoted.cell);
                quoted.behind
            } else {
                let end = self.end_of_plain(at)?;
                let cell = &self.text[at..end];
                if !is_text_formula(cell) {
                    if cell.ends_with(b"\"") {
                        return Err(Stop::Broken);
                    }
                    has_literal_quotes |= memchr(b'"', cell).is_some();
                }
                cells.push(Cell::plain(at, end));
                end
            };
            if self.text.get(behind) == Some(&self.delimiter) {
                if cells.len() >= MAX_CELLS {
                    return Err(Stop::TooWide);
                }
                at = behind + 1;
                continue;
            }
            if self.behind_line_end(behind).is_none() {
                return Err(Stop::AtLineEnd);
            }
            // On several lines nothing may be amiss: what seems to be one
            // record may be the halves of two.
            let fits = |layout: &Layout| layout.fits(self.text, cells);
            let is_sound = !has_literal_quotes && self.layout.is_none_or(fits);
            return if lines == 1 || is_sound {
                Ok((behind, lines))
            } else {
                Err(Stop::Broken)
            };
        }
    }

    /// Where the cell that starts there opens with a quote, blanks before it
    /// passed over.
    fn opening_quote(self, start: usize) -> Option<usize> {
        let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t' && self.delimiter != b'\t';
        let blanks = self.text[start..]
            .iter()
            .take_while(|byte| is_blank(byte))
            .count();
        (self.text.get(start + blanks) == Some(&b'"')).then_some(start + blanks)
    }

    /// The delimiter or line end behind an unquoted cell.
    fn end_of_plain(self, start: usize) -> Result<usize, Stop> {
        match memchr3(self.delimiter, b'\n', b'\r', &self.text[start..]) {
            Some(len) => Ok(start + len),
            None if self.is_whole => Ok(self.text.len()),
            None => Err(Stop::Open),
        }
    }

    /// The cell whose opening quote stands before `start`.
    fn quoted(self, start: usize) -> Result<Quoted, Stop> {
        let mut at = start;
        let (mut escaped, mut line_breaks) = (false, 0);
        loop {
            let found = memchr3(b'"', b'\n', b'\r', &self.text[at..]).map(|len| at + len);
            let Some(found) = found else {
                return Err(if self.is_whole {
                    Stop::Broken
                } else {
                    Stop::Open
                });
            };
            if self.text[found] != b'"' {
                line_breaks += 1;
                // A text does not start with a line break: there the quote
                // was meant to close something.
                let is_doubtful = found == start || line_breaks > MAX_LINE_BREAKS;
                if is_doubtful && self.layout.is_some() {
                    return Err(Stop::Broken);
                }
                at = self.behind_line_end(found).ok_or(Stop::AtLineEnd)?;
                continue;
            }
            at = found + 2;
            match self.text.get(found + 1) {
                Some(b'"') => escaped = true,
                Some(next) if *next != self.delimiter && !matches!(next, b'\n' | b'\r') => {
                    return Err(Stop::Broken);
                }
                None if !self.is_whole => return Err(Stop::Open),
                Some(_) | None => {
                    let cell = Cell {
                        start,
                        end: found,
                        escaped,
                    };
                    return Ok(Quoted {
                        cell,
                        line_breaks,
                        behind: found + 1,
                    });
                }
            }
        }
    }

    /// Whether a cell on several lines may not be one: its column has none
    /// such, or it has swallowed the end of one row and the start of another.
    /// The delimiters in its first line are then those that the first row
    /// lacks, and those in its last line all that the other row has before.
    fn is_doubtful(self, quoted: &Quoted, column: usize) -> bool {
        let Some(layout) = self.layout else {
            return false;
        };
        let row = layout.width - 1;
        let text = quoted.cell.bytes(self.text);
        let mut delimiters = text
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .map(|line| memchr_iter(self.delimiter, line).count());
        let first = delimiters.next().unwrap_or(0);
        let last = delimiters.next_back().unwrap_or(0);
        !layout.may_break(column) || first + column >= row && last >= column
    }

    /// Behind the line end there, if that is one: LF, CR LF, CR, or the end
    /// of the text. `None` where a CR is the last that is there.
    fn behind_line_end(self, at: usize) -> Option<usize> {
        match (self.text.get(at), self.text.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Some(at + 2),
            (Some(b'\r'), None) if !self.is_whole => None,
            (Some(_), _) => Some(at + 1),
            (None, _) => Some(at),
        }
    }
}

/// `="000123"`: how exports keep spreadsheets from taking a text for a number.
fn is_text_formula(cell: &[u8]) -> bool {
    cell.trim_ascii_start()
        .strip_prefix(b"=\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .is_some_and(|text| !text.contains(&b'"'))
}

#[cfg(test)]
mod tests;
