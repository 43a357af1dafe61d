//! An input file on disk.

use std::{fs::File, io, path::PathBuf};

use debts_file::{GenerateOptions, Generated, generate};

/// Writes an input file for importer-api: the same file for the same options.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateCommand {
    /// Data rows.
    #[arg(long, default_value_t = 2_000)]
    pub rows: u64,
    /// Another seed makes another file.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Share of rows, 0 to 1, that repeat the debt of an earlier row.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub duplicates: f64,
    /// Share of rows, 0 to 1, that cannot be billed.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub invalid: f64,
    /// The file to write; one that exists is replaced.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The options make no sense.
    #[error("{0}")]
    Options(#[source] io::Error),
    /// The file cannot be created.
    #[error("cannot create `{}`: {source}", path.display())]
    Create {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A write failed, and the file holds only a part of the rows.
    #[error("`{}` is not written in full: {source}", path.display())]
    Write {
        /// The file that was asked for.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl GenerateCommand {
    /// Writes the file and returns what it holds.
    pub fn run(&self) -> Result<Generated, GenerateError> {
        let options = GenerateOptions {
            rows: self.rows,
            seed: self.seed,
            duplicate_share: self.duplicates,
            invalid_share: self.invalid,
        };
        options.check().map_err(GenerateError::Options)?;
        let file = File::create(&self.output).map_err(|source| GenerateError::Create {
            path: self.output.clone(),
            source,
        })?;
        generate(options, file).map_err(|source| GenerateError::Write {
            path: self.output.clone(),
            source,
        })
    }
}
