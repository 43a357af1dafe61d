use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result};
use contract::DebtRecord;

/// What must become of the rows of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Data rows.
    pub(crate) rows: u64,
    /// Distinct debts of valid rows: each is billed and mailed once.
    pub(crate) billed: u64,
    /// Valid rows beyond the first of their debt.
    pub(crate) skipped: u64,
    /// Rows that cannot be billed.
    pub(crate) invalid: u64,
}

impl Expected {
    /// Reads a file in the contract's form: comma, its columns in their order, UTF-8. Gives with it
    /// the debts that must be billed.
    pub(crate) fn of_file(path: &Path) -> Result<(Self, BTreeSet<String>)> {
        let context = || format!("cannot read `{}`", path.display());
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_path(path)
            .with_context(context)?;
        let mut debts = BTreeSet::new();
        let mut expected = Self::default();
        for record in reader.records() {
            let record = record.with_context(context)?;
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

    /// Of the same file where its debts were billed by an earlier upload of it: all valid rows are
    /// skipped.
    pub(crate) fn billed_before(self) -> Self {
        Self {
            billed: 0,
            skipped: self.billed + self.skipped,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_billed_before_is_skipped() {
        let file = Expected {
            rows: 10,
            billed: 7,
            skipped: 2,
            invalid: 1,
        };
        let again = Expected {
            billed: 0,
            skipped: 9,
            ..file
        };
        assert_eq!(file.billed_before(), again);
    }
}
