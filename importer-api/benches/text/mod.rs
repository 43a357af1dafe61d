//! A file to import.

use devstack::generate::{GenerateOptions, generate};

pub(crate) const ROWS: u64 = 10_000;

/// Rows like those of `make bench`.
pub(crate) fn generated() -> Vec<u8> {
    let options = GenerateOptions {
        rows: ROWS,
        seed: 1,
        duplicate_share: 0.01,
        invalid_share: 0.005,
    };
    let mut text = Vec::new();
    generate(options, &mut text).unwrap();
    text
}
