//! Where a server of its own keeps its data and its log.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// How many of the last lines of the log an error shows.
const LOG_LINES_IN_ERROR: usize = 5;

/// The directory of one server.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    place: Place,
    server: &'static str,
}

#[derive(Debug)]
enum Place {
    /// The caller's own, which stays.
    Kept(PathBuf),
    /// Removed when this is dropped.
    Temporary(TempDir),
}

/// A directory, or a file in it, cannot be used.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl Unusable {
    /// For `map_err`: what cannot be used.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self { path, source }
    }
}

impl DataDirectory {
    /// The given directory, created if need be, or a temporary one, for a server of that name.
    pub(crate) fn open(directory: Option<&Path>, server: &'static str) -> Result<Self, Unusable> {
        let place = match directory {
            Some(path) => {
                fs::create_dir_all(path).map_err(Unusable::at(path))?;
                Place::Kept(path.to_owned())
            }
            None => tempfile::Builder::new()
                .prefix(&format!("{server}-"))
                .tempdir()
                .map(Place::Temporary)
                .map_err(Unusable::at(&env::temp_dir()))?,
        };
        Ok(Self { place, server })
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.place {
            Place::Kept(path) => path,
            Place::Temporary(directory) => directory.path(),
        }
    }

    /// A log of this run only, so that an error never shows the words of an earlier one.
    pub(crate) fn open_log(&self) -> Result<File, Unusable> {
        let path = self.log_path();
        File::create(&path).map_err(Unusable::at(&path))
    }

    /// The last lines of the log, on one line.
    pub(crate) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_IN_ERROR)..].join("; ")
    }

    fn log_path(&self) -> PathBuf {
        self.path().join(self.server).with_extension("log")
    }
}
