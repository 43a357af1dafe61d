//! Writes slips of every kind, and beside each what must be read on it:
//! `cargo run -p slip --example write_slips -- DIRECTORY`.
//!
//! `developer/check_slip.py` reads them back by other programs.

#![allow(clippy::print_stderr, reason = "it is a command")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

#[path = "../tests/slips/samples.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod samples;

use samples::Sample;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("where to? write_slips DIRECTORY");
        return ExitCode::from(2);
    };
    let written = std::fs::create_dir_all(&directory).and_then(|()| {
        let mut samples = samples::all().into_iter();
        samples.try_for_each(|sample| write(&directory, &sample))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path, sample: &Sample) -> std::io::Result<()> {
    let slip = sample.slip();
    let expected = json!({
        "barcode": slip.barcode.as_str(),
        "line": slip.barcode.digitable_line().to_string(),
        "pix": slip.pix,
        "registered": slip.agreement.registered(),
        "right_aligned": [
            slip.due.brazilian().to_string(),
            slip.agreement.bank().branch_and_account(),
            slip.our_number,
            slip.amount.brazilian().to_string(),
        ],
    });
    let path = directory.join(&sample.name);
    std::fs::write(path.with_extension("json"), format!("{expected:#}\n"))?;
    std::fs::write(path.with_extension("pdf"), slip.to_pdf())
}
