//! Rows that follow each other, whose bits are read and written at once: a
//! batch is nearly always of such rows, and a command for each costs Redis more
//! than all else that is done for it.

use redis::ToRedisArgs;

/// As many bits as Lua's bit operations give back as a positive number.
const MOST_ROWS: u64 = 31;

/// Consecutive rows: a field of `BITFIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) rows: u64,
}

impl Run {
    /// All bits of the field.
    const fn ones(self) -> u64 {
        (1 << self.rows) - 1
    }

    /// Whether each row has its bit in the field; the first row has the highest.
    pub(super) fn bits(self, field: u64) -> impl Iterator<Item = bool> {
        (0..self.rows).rev().map(move |bit| field >> bit & 1 == 1)
    }

    /// What `BITFIELD` takes to set all of its bits.
    pub(super) fn set(self) -> impl ToRedisArgs {
        ("SET", format!("u{}", self.rows), self.first, self.ones())
    }
}

/// The runs of rows, which are in their order, and each of them once.
pub(super) fn runs(rows: impl IntoIterator<Item = u64>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some(run) if run.rows < MOST_ROWS && run.first + run.rows == row => run.rows += 1,
            _ => runs.push(Run {
                first: row,
                rows: 1,
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_row_is_in_one_run(rows: BTreeSet<u8>) {
            let rows: Vec<u64> = rows.into_iter().map(u64::from).collect();
            let runs = runs(rows.iter().copied());
            prop_assert!(runs.iter().all(|run| run.rows <= MOST_ROWS));
            let again = runs.iter().flat_map(|run| run.first..run.first + run.rows);
            prop_assert!(again.eq(rows));
        }
    }

    #[test]
    fn the_first_row_has_the_highest_bit() {
        let run = Run { first: 7, rows: 4 };
        assert_eq!(run.ones(), 0b1111);
        let bits: Vec<bool> = run.bits(0b1010).collect();
        assert_eq!(bits, [true, false, true, false]);
    }
}
