use contract::Column;
use quick_xml::events::Event;

use super::part::Step;

/// Finds a row with as many cells as a debt has, in a sheet that is not read.
#[derive(Default)]
pub(super) struct OtherSheet {
    row: u32,
    filled: usize,
    is_in_cell: bool,
    /// Whether the cell has a value so far.
    has_value: bool,
    /// The number of such a row, from 1.
    pub(super) row_of_six: Option<u32>,
}

impl OtherSheet {
    /// Looks at what comes next in the sheet's part.
    pub(super) fn look(&mut self, event: &Event<'_>) -> Step {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "row" => (self.row, self.filled) = (self.row + 1, 0),
                "c" => (self.is_in_cell, self.has_value) = (true, false),
                "v" | "is" if self.is_in_cell => self.has_value = true,
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "c" => {
                    self.is_in_cell = false;
                    self.filled += usize::from(self.has_value);
                    if self.filled >= Column::ALL.len() {
                        self.row_of_six = Some(self.row);
                        return Step::Stop;
                    }
                }
                "sheetData" => return Step::Stop,
                _ => {}
            },
            _ => {}
        }
        if self.is_in_cell {
            Step::Within
        } else {
            Step::Next
        }
    }
}
