//! For development and tests only: input files of any size, the same file for the same options in the
//! same year, with figures known in advance.
//!
//! A file mixes valid rows, rows that repeat an earlier debt and rows that no service may bill.
//! [`Generated`] says exactly how many there are of each, so that a test or a benchmark can compare
//! what came out of the pipeline with what went in. The people, documents and debts are made up.

mod dates;
mod debtor;
mod document;
mod flaw;
mod random;
mod recent;
mod row;
mod rows;

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::Offset;

use dates::DueDates;
use flaw::Flaw;
use random::Random;
use recent::Recent;
use row::Row;
use rows::Rows;

/// What the file should be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateOptions {
    /// Data rows; the header is not one.
    pub rows: u64,
    /// Two files with the same options and seed are the same but for their due dates, which follow
    /// the year, on every machine.
    pub seed: u64,
    /// Share of rows, 0 to 1, that repeat the debt of an earlier valid row.
    pub duplicate_share: f64,
    /// Share of rows, 0 to 1, that cannot be billed.
    pub invalid_share: f64,
}

impl GenerateOptions {
    /// What `make demo`, `make bench` and `make test/chaos` upload: 1 % duplicates, 0.5 % invalid
    /// rows.
    pub fn usual(rows: u64, seed: u64) -> Self {
        Self {
            rows,
            seed,
            duplicate_share: 0.01,
            invalid_share: 0.005,
        }
    }

    /// An error of kind [`io::ErrorKind::InvalidInput`] if the shares are no shares.
    pub fn check(&self) -> io::Result<()> {
        let (duplicates, invalid) = (self.duplicate_share, self.invalid_share);
        let is_share = |share| (0.0..=1.0).contains(&share);
        if is_share(duplicates) && is_share(invalid) && is_share(duplicates + invalid) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the share of duplicates ({duplicates}) and the share of invalid rows ({invalid}) \
                 must each be from 0 to 1, and at most 1 together"
            ),
        ))
    }
}

/// What the file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generated {
    /// Data rows; always the sum of the other three.
    pub rows: u64,
    /// Valid rows with a `debtId` of their own: the debts to bill.
    pub distinct_valid: u64,
    /// Valid rows that repeat the `debtId` and the data of an earlier row.
    pub duplicates: u64,
    /// Rows with a flaw.
    pub invalid: u64,
}

/// Writes a file, header included, in bounded memory.
///
/// Output is buffered here. The options are checked first: with wrong ones nothing is written.
pub fn generate(options: GenerateOptions, out: impl Write) -> io::Result<Generated> {
    let today = Offset::UTC.to_datetime(Timestamp::now());
    generate_in(today.year(), options, out)
}

/// The file that is written in that year.
fn generate_in(year: i16, options: GenerateOptions, out: impl Write) -> io::Result<Generated> {
    options.check()?;
    let due_dates = DueDates::around(year);
    let mut random = Random::new(options.seed);
    let mut rows = Rows::new(out, &due_dates);
    let mut recent = Recent::new();
    let mut generated = Generated {
        rows: options.rows,
        ..Generated::default()
    };
    rows.header()?;
    for _ in 0..options.rows {
        let kind = random.share();
        if kind < options.invalid_share {
            let row = Row::random(&mut random, &due_dates);
            rows.flawed(&row, Flaw::nth(generated.invalid))?;
            generated.invalid += 1;
            continue;
        }
        let earlier = if kind < options.invalid_share + options.duplicate_share {
            recent.pick(&mut random)
        } else {
            None
        };
        if let Some(mut row) = earlier {
            if random.one_in(2) {
                row.spell_amount_in_full();
            }
            rows.valid(&row)?;
            generated.duplicates += 1;
        } else {
            let row = Row::random(&mut random, &due_dates);
            rows.valid(&row)?;
            recent.add(row);
            generated.distinct_valid += 1;
        }
    }
    rows.finish()?;
    Ok(generated)
}

#[cfg(test)]
mod tests;
