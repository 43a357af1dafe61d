use std::{collections::BTreeSet, io, path::Path};

use contract::DebtRecord;

/// What must become of the rows of a file, found by reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Data rows.
    pub rows: u64,
    /// Distinct debts of valid rows: each is billed and mailed once.
    pub billed: u64,
    /// Valid rows beyond the first of their debt.
    pub skipped: u64,
    /// Rows that cannot be billed.
    pub invalid: u64,
}

impl Expected {
    /// Reads a file in the contract's form: comma, its columns in their order, UTF-8. Gives with it
    /// the debts that must be billed.
    pub fn of_file(path: &Path) -> io::Result<(Self, BTreeSet<String>)> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
        let mut debts = BTreeSet::new();
        let mut expected = Self {
            rows: 0,
            billed: 0,
            skipped: 0,
            invalid: 0,
        };
        for record in reader.records() {
            let record = record?;
            expected.rows += 1;
            let fields: Vec<&str> = record.iter().collect();
            let debt = <[&str; 6]>::try_from(fields)
                .ok()
                .and_then(|fields| DebtRecord::from_fields(fields).ok());
            match debt {
                None => expected.invalid += 1,
                Some(debt) if debts.insert(debt.debt_id.clone()) => expected.billed += 1,
                Some(_) => expected.skipped += 1,
            }
        }
        Ok((expected, debts))
    }
}
