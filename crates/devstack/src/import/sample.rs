use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::generate::{GenerateCommand, GenerateError};

/// Share of rows of a sample that repeat an earlier debt.
pub(crate) const DUPLICATES: f64 = 0.01;

/// Share of rows of a sample that cannot be billed.
pub(crate) const INVALID: f64 = 0.005;

/// Generates a file to upload, `input.csv` in that directory, which is created if need be.
pub(crate) fn sample(directory: &Path, rows: u64, seed: u64) -> Result<PathBuf, GenerateError> {
    fs::create_dir_all(directory).map_err(|source| GenerateError::Create {
        path: directory.to_owned(),
        source,
    })?;
    let command = GenerateCommand {
        rows,
        seed,
        duplicates: DUPLICATES,
        invalid: INVALID,
        output: directory.join("input.csv"),
    };
    command.run()?;
    Ok(command.output)
}
