//! A file to import.

use debts_file::{GenerateOptions, generate};

pub(crate) const ROWS: u64 = 10_000;

/// Rows like those of `make bench`.
pub(crate) fn generated() -> Vec<u8> {
    let mut text = Vec::new();
    generate(GenerateOptions::usual(ROWS, 1), &mut text).unwrap();
    text
}
