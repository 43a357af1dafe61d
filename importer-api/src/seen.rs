//! Which debts of a file were seen, in little memory.

use std::collections::HashMap;

/// Most debts of a table: what a hash map of 8,192 slots takes without growing.
const FULL: usize = 7_168;
/// As many as it gets: with the hashes as they fall, nearly none gets more
/// than [`FULL`], and is twice as large.
const MEAN: usize = FULL - 330;

/// The hash of a debt, in halves: so no gap is left behind the terms.
type Debt = [u32; 2];

/// The terms of each debt, both hashed.
///
/// One hash map of a million would have up to twice as many slots, as their
/// number is a power of two. Many small ones are full.
#[derive(Debug)]
pub(crate) struct Seen(Vec<HashMap<Debt, u32>>);

impl Seen {
    /// With room for that many debts.
    pub(crate) fn with_room_for(debts: u64) -> Self {
        let debts = usize::try_from(debts).unwrap_or(usize::MAX);
        let tables = debts.div_ceil(MEAN).max(1);
        let room = debts.min(FULL);
        // Room for all at once, as to grow takes half as much again.
        Self((0..tables).map(|_| HashMap::with_capacity(room)).collect())
    }

    /// The terms that a debt was seen with; `None` where it was not.
    pub(crate) fn terms(&self, debt: Debt) -> Option<u32> {
        self.0.get(self.place(debt))?.get(&debt).copied()
    }

    /// A debt was seen with these terms.
    pub(crate) fn add(&mut self, debt: Debt, terms: u32) {
        let place = self.place(debt);
        if let Some(table) = self.0.get_mut(place) {
            table.insert(debt, terms);
        }
    }

    fn place(&self, debt: Debt) -> usize {
        debt[0] as usize % self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_debts_are_known_and_their_tables_are_nearly_full() {
        let mut seen = Seen::with_room_for(1_000_000);
        let hash = |debt: u64| {
            let hash = debt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            #[expect(clippy::cast_possible_truncation, reason = "the halves")]
            [(hash >> 32) as u32, hash as u32]
        };
        for debt in 0..1_000_000 {
            assert_eq!(seen.terms(hash(debt)), None);
            seen.add(hash(debt), hash(debt)[1] / 2);
        }
        for debt in 0..1_000_000 {
            assert_eq!(seen.terms(hash(debt)), Some(hash(debt)[1] / 2));
        }
        let room: usize = seen.0.iter().map(HashMap::capacity).sum();
        assert!(room < 1_100_000, "{room}");
        assert_eq!(Seen::with_room_for(0).terms([7, 7]), None);
    }
}
