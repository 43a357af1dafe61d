use std::{
    fs,
    path::{Path, PathBuf},
};

use debts_file::GenerateOptions;

use crate::generate::{GenerateCommand, GenerateError};

/// Generates a file to upload, `input.csv` in that directory, which is created if need be.
pub(crate) fn sample(directory: &Path, rows: u64, seed: u64) -> Result<PathBuf, GenerateError> {
    fs::create_dir_all(directory).map_err(|source| GenerateError::Create {
        path: directory.to_owned(),
        source,
    })?;
    let usual = GenerateOptions::usual(rows, seed);
    let command = GenerateCommand {
        rows,
        seed,
        duplicates: usual.duplicate_share,
        invalid: usual.invalid_share,
        output: directory.join("input.csv"),
    };
    command.run()?;
    Ok(command.output)
}
