use std::borrow::Cow;

/// Where a cell stands in its record, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub(super) start: usize,
    pub(super) end: usize,
    /// It holds doubled quotes, each of which stands for one.
    pub(super) escaped: bool,
}

impl Cell {
    /// One without quotes.
    pub(super) const fn plain(start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            escaped: false,
        }
    }

    /// Its text, given the record that it is a part of; `None` where it is
    /// not.
    pub fn text<'t>(&self, record: &'t str) -> Option<Cow<'t, str>> {
        let text = record.get(self.start..self.end)?;
        Some(if self.escaped {
            Cow::Owned(text.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(text)
        })
    }

    /// Its bytes as they stand there, doubled quotes included.
    pub fn bytes<'t>(&self, record: &'t [u8]) -> &'t [u8] {
        record.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether doubled quotes in it stand for one.
    pub const fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// Whether it holds nothing but blanks.
    pub fn is_blank(&self, record: &[u8]) -> bool {
        self.bytes(record).iter().all(u8::is_ascii_whitespace)
    }
}
