use serde::{Deserialize, Serialize};

use super::{COLUMNS, Cell};

/// How the records of a file hold the six columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Between two fields.
    pub delimiter: u8,
    /// Where each of the contract's columns stands in a record.
    pub columns: [usize; COLUMNS.len()],
    /// Columns of the header, others than ours included.
    pub width: usize,
}

impl Layout {
    /// The layout of a record in a message.
    pub const MESSAGE: Self = Self {
        delimiter: b',',
        columns: [0, 1, 2, 3, 4, 5],
        width: COLUMNS.len(),
    };

    /// Whether a record has a cell for each of the six columns, and nothing
    /// beyond the header. Spreadsheets drop empty cells at the end of a row,
    /// or add some. Where a row has more than the header, all cells behind the
    /// six columns must be empty: otherwise a delimiter within a field (`10,50`)
    /// may have moved those behind it.
    pub fn fits(&self, record: &[u8], cells: &[Cell]) -> bool {
        let needed = self.columns.iter().max().map_or(0, |last| last + 1);
        cells.len() >= needed
            && (cells.len() <= self.width
                || cells[needed..].iter().all(|cell| cell.is_blank(record)))
    }

    /// Whether a cell of that column may hold line breaks: the name, and what
    /// is none of ours.
    pub(super) fn may_break(&self, column: usize) -> bool {
        let [_name, others @ ..] = &self.columns;
        !others.contains(&column)
    }
}
