//! The valid rows that a later row can repeat.

use crate::{random::Random, row::Row};

/// How many rows are remembered: enough to repeat a debt many batches later, under a megabyte.
const CAPACITY: usize = 4_096;

/// The latest valid rows.
pub(super) struct Recent {
    rows: Vec<Row>,
    oldest: usize,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            rows: Vec::with_capacity(CAPACITY),
            oldest: 0,
        }
    }

    /// Remembers a row, in the place of the oldest if need be.
    pub(super) fn add(&mut self, row: Row) {
        if self.rows.len() < CAPACITY {
            self.rows.push(row);
        } else {
            self.rows[self.oldest] = row;
            self.oldest = (self.oldest + 1) % CAPACITY;
        }
    }

    /// One of the rows, or `None` while there is none.
    pub(super) fn pick(&self, random: &mut Random) -> Option<Row> {
        if self.rows.is_empty() {
            None
        } else {
            Some(random.pick(&self.rows))
        }
    }
}
