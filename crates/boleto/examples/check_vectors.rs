//! Checks a file of vectors against this crate:
//! `cargo run -p boleto --example check_vectors -- FILE.json`.
//!
//! Names each vector that fails, with what it expects and what it got, and
//! each kind that it does not know. The exit code is 1 if there is one, and 2
//! if the file cannot be read.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::process::ExitCode;

#[path = "../tests/vectors/check/mod.rs"]
mod check;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("which file? check_vectors FILE.json");
        return ExitCode::from(2);
    };
    let report = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| check::check_file(&text));
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    for failure in &report.failures {
        println!("FAILED {failure}");
    }
    for (kind, count) in &report.unknown {
        println!("UNKNOWN KIND {kind}: {count} vectors");
    }
    let unknown: usize = report.unknown.values().sum();
    println!(
        "{} vectors: {} passed, {} failed, {unknown} of an unknown kind",
        report.total,
        report.total - report.failures.len() - unknown,
        report.failures.len(),
    );
    if report.failures.is_empty() && report.unknown.is_empty() && report.total > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
