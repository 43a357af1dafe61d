use std::io::{self, ErrorKind, Read};

use contract::{Cell, InvalidReason, Layout, MAX_RECORD_BYTES, Scanned, scan};

/// Bytes read from a file at a time.
const READ_BYTES: usize = 64 * 1024;

/// Cuts text that comes in pieces into records, whatever their size, in
/// bounded memory. Where a record ends does not depend on the pieces.
#[derive(Debug)]
pub struct Cutter {
    layout: Layout,
    text: Vec<u8>,
    /// Bytes of `text` that are done with.
    done: usize,
    /// What is left is looked at once it is that long: a client that sends
    /// byte by byte must not have it read from its beginning for each.
    look_at: usize,
    /// `text` ends with a line that is longer than any record, and its end
    /// has not come.
    is_endless: bool,
    /// Bytes that are missing of that line.
    dropped: usize,
    /// Nothing more will come.
    is_whole: bool,
    cells: Vec<Cell>,
    place: Place,
}

/// How far a text is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Physical lines before it.
    pub lines: u64,
}

/// A data record of a file, or a line that can be none.
#[derive(Debug)]
pub struct Cut<'a> {
    /// Its bytes, line end included; of a line that is too long the start.
    pub raw: &'a [u8],
    /// Its cells, or why it cannot be read.
    pub cells: Result<&'a [Cell], InvalidReason>,
    /// Where it begins.
    pub place: Place,
}

impl Cutter {
    /// A cutter for a text that begins there, at the start of a line.
    pub fn new(layout: Layout, place: Place) -> Self {
        Self {
            layout,
            text: Vec::new(),
            done: 0,
            look_at: 0,
            is_endless: false,
            dropped: 0,
            is_whole: false,
            cells: Vec::new(),
            place,
        }
    }

    /// Behind the last record that it gave, and the blank lines that it has
    /// passed over since.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Takes the next piece of the text.
    pub fn push(&mut self, piece: &[u8]) {
        let start = self.forget();
        self.text.extend_from_slice(piece);
        self.drop_rest_of_line(start);
    }

    /// Nothing more will come.
    pub const fn end(&mut self) {
        self.is_whole = true;
    }

    /// Whether nothing more will come.
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Reads the next piece of the text from its file.
    ///
    /// # Errors
    /// Those of the file. Of the kind `WouldBlock` where nothing is there yet.
    pub fn read_from(&mut self, file: impl Read) -> io::Result<()> {
        let start = self.forget();
        let mut piece = file.take(READ_BYTES as u64);
        match piece.read_to_end(&mut self.text) {
            Ok(read) => self.is_whole = read < READ_BYTES,
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.text.len() > start => {}
            Err(error) => return Err(error),
        }
        self.drop_rest_of_line(start);
        Ok(())
    }

    /// The next record of what was taken; `None` where it takes more to tell,
    /// or nothing is left.
    pub fn next_cut(&mut self) -> Option<Cut<'_>> {
        loop {
            let rest = &self.text[self.done..];
            let is_looked_at = rest.len() < self.look_at || self.is_endless;
            if is_looked_at && !self.is_whole {
                return None;
            }
            let (delimiter, layout) = (self.layout.delimiter, Some(&self.layout));
            let (len, lines, refused) =
                match scan(rest, self.is_whole, delimiter, layout, &mut self.cells) {
                    Scanned::End => return None,
                    Scanned::NeedsMore => {
                        self.look_at = rest.len() * 2;
                        return None;
                    }
                    Scanned::Endless => {
                        // As much of it as shows that it is too long.
                        let shown = self.done + MAX_RECORD_BYTES + 1;
                        self.is_endless = true;
                        self.drop_rest_of_line(shown);
                        return None;
                    }
                    Scanned::Blank { len, lines } => {
                        self.advance(len, lines);
                        continue;
                    }
                    Scanned::Record { len, lines } => (len, lines, None),
                    Scanned::Refused { len, reason } => (len, 1, Some(reason)),
                };
            let (place, start) = (self.place, self.done);
            self.advance(len, lines);
            return Some(Cut {
                raw: &self.text[start..self.done],
                cells: refused.map_or(Ok(&self.cells), Err),
                place,
            });
        }
    }

    fn advance(&mut self, len: usize, lines: u64) {
        self.done += len;
        self.look_at = 0;
        self.place.offset += (len + std::mem::take(&mut self.dropped)) as u64;
        self.place.lines += lines;
    }

    /// Drops what stands from there on of a line that is too long.
    fn drop_rest_of_line(&mut self, start: usize) {
        if self.is_endless {
            let rest = &self.text[start..];
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let dropped = end.unwrap_or(rest.len());
            self.text.drain(start..start + dropped);
            self.dropped += dropped;
            self.is_endless = end.is_none();
        }
    }

    /// Makes room; gives where the next piece begins.
    fn forget(&mut self) -> usize {
        self.text.drain(..self.done);
        self.done = 0;
        if self.text.capacity() == 0 {
            // Once for all: to grow step by step would leave each step's
            // memory behind. What is not used costs nothing.
            self.text.reserve_exact(MAX_RECORD_BYTES + 2 * READ_BYTES);
        }
        self.text.len()
    }
}
