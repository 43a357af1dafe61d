use serde::{Deserialize, Serialize};

use super::{Cell, Column, Fields, OptionalFields};

/// How the records of a file hold the columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Between two fields.
    pub delimiter: u8,
    /// Where each of the contract's columns stands in a record.
    pub columns: Fields<usize>,
    /// Where those of the optional columns stand that the file has. A manifest
    /// of an older version has none.
    #[serde(default)]
    pub optional: OptionalFields<usize>,
    /// Columns of the header, others than ours included.
    pub width: usize,
}

impl Layout {
    /// The layout of a record in a message.
    pub const MESSAGE: Self = Self {
        delimiter: b',',
        columns: Fields([0, 1, 2, 3, 4, 5]),
        optional: OptionalFields::NONE,
        width: Column::ALL.len(),
    };

    /// Whether a record has a cell for each of the six columns, and nothing
    /// beyond the header. Spreadsheets drop empty cells at the end of a row,
    /// or add some. Where a row has more than the header, all cells behind the
    /// six columns must be empty: otherwise a delimiter within a field (`10,50`)
    /// may have moved those behind it.
    pub fn fits(&self, record: &[u8], cells: &[Cell]) -> bool {
        let needed = self.columns.in_order().max().map_or(0, |last| last + 1);
        cells.len() >= needed
            && (cells.len() <= self.width
                || cells[needed..].iter().all(|cell| cell.is_blank(record)))
    }

    /// Whether a cell of that column may hold line breaks: the name, and what
    /// is none of ours.
    pub(super) fn may_break(&self, column: usize) -> bool {
        let mut others = self.columns.in_order().skip(1);
        others.all(|place| *place != column)
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptionalColumn;
    use super::*;

    #[test]
    fn a_manifest_of_another_version_is_read() {
        let read = |text: &str| serde_json::from_str::<Layout>(text).unwrap();
        let older = r#"{"delimiter":44,"columns":[0,1,2,3,4,5],"width":6}"#;
        assert_eq!(read(older), Layout::MESSAGE);

        let mut layout = Layout::MESSAGE;
        layout.optional = [(OptionalColumn::Phone, 6)].into_iter().collect();
        let text = serde_json::to_string(&layout).unwrap();
        assert_eq!(read(&text), layout);
        let newer = text.replace(r#""phone":6"#, r#""later":7,"phone":6"#);
        assert_ne!(newer, text);
        assert_eq!(read(&newer), layout);
    }
}
