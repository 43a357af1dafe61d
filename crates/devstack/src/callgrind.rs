use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use emulators::child::find_in_path;

/// Valgrind, which runs the services and counts what they do.
#[derive(Debug, Clone)]
pub(crate) struct Callgrind {
    valgrind: PathBuf,
    directory: PathBuf,
}

impl Callgrind {
    /// What it counts goes to files in that directory.
    ///
    /// # Errors
    /// Where Valgrind is not installed.
    pub(crate) fn into(directory: PathBuf) -> Result<Self> {
        let valgrind = find_in_path("valgrind")
            .context("valgrind is not in PATH: `developer/setup.sh valgrind` installs it")?;
        // Valgrind has its own directory in mind for a path that is not absolute.
        let directory = env::current_dir()?.join(directory);
        Ok(Self {
            valgrind,
            directory,
        })
    }

    /// What to start for a service, and its arguments.
    pub(crate) fn command(&self, service: &str, binary: &Path) -> (PathBuf, Vec<OsString>) {
        let mut file = OsString::from("--callgrind-out-file=");
        file.push(self.file(service));
        let arguments = [
            "--tool=callgrind".into(),
            "--quiet".into(),
            file,
            binary.into(),
        ];
        (self.valgrind.clone(), arguments.into())
    }

    /// Instructions that a service has executed, from its start to its end.
    pub(crate) fn instructions(&self, service: &str) -> Result<u64> {
        let file = self.file(service);
        let counted = fs::read_to_string(&file);
        let counted = counted.with_context(|| format!("cannot read `{}`", file.display()))?;
        let mut lines = counted.lines();
        let total = lines.find_map(|line| line.strip_prefix("totals: "));
        total
            .and_then(|total| total.trim().parse().ok())
            .with_context(|| format!("`{}` has no totals", file.display()))
    }

    fn file(&self, service: &str) -> PathBuf {
        self.directory.join(format!("{service}.callgrind"))
    }
}
