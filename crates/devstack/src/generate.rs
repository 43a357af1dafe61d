//! An input file on disk, by `debts-file`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use debts_file::{GenerateOptions, Generated, generate};

/// Writes an input file for importer-api: the same file for the same options.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GenerateCommand {
    /// Data rows.
    #[arg(long, default_value_t = 2_000)]
    rows: u64,
    /// Another seed makes another file.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of rows, 0 to 1, that repeat the debt of an earlier row.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,
    /// Share of rows, 0 to 1, that cannot be billed.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    invalid: f64,
    /// The file to write; one that exists is replaced.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl GenerateCommand {
    /// Writes the file and prints what it holds.
    pub(crate) fn run(self) -> Result<()> {
        let options = GenerateOptions {
            rows: self.rows,
            seed: self.seed,
            duplicate_share: self.duplicates,
            invalid_share: self.invalid,
        };
        let generated = write_file(&self.output, options)?;
        writeln!(
            io::stdout(),
            "{}: {} rows, {} debts to bill, {} duplicates, {} invalid",
            self.output.display(),
            generated.rows,
            generated.distinct_valid,
            generated.duplicates,
            generated.invalid,
        )?;
        Ok(())
    }
}

/// Writes a file, and tells what it holds. One that is there stays if the options make no sense.
pub(crate) fn write_file(path: &Path, options: GenerateOptions) -> Result<Generated> {
    options.check()?;
    let file = File::create(path).with_context(|| format!("cannot create `{}`", path.display()))?;
    generate(options, file).with_context(|| format!("`{}` is not written in full", path.display()))
}

/// Writes the usual file, `input.csv` in that directory, which is created if need be.
pub(crate) fn sample(directory: &Path, rows: u64, seed: u64) -> Result<PathBuf> {
    let context = || format!("cannot create `{}`", directory.display());
    fs::create_dir_all(directory).with_context(context)?;
    let path = directory.join("input.csv");
    write_file(&path, GenerateOptions::usual(rows, seed))?;
    Ok(path)
}
