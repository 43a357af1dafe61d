//! Where a server of its own keeps its data and its log.

use std::{
    env,
    fmt::{self, Display, Formatter},
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// How many of the last lines of a log are shown.
const LINES_SHOWN: usize = 5;

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

    /// A log that begins with this run, so that an error does not show the words of an earlier one.
    ///
    /// Processes of a predecessor that was killed may still write to it: all append.
    pub(crate) fn open_log(&self) -> Result<File, Unusable> {
        let path = self.log_path();
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened
            .and_then(|log| log.set_len(0).map(|()| log))
            .map_err(Unusable::at(&path))
    }

    /// What was written to the log since it was opened.
    pub(crate) fn log(&self) -> Log {
        let log = fs::read(self.log_path()).unwrap_or_default();
        Log(String::from_utf8_lossy(&log).into_owned())
    }

    fn log_path(&self) -> PathBuf {
        self.path().join(self.server).with_extension("log")
    }
}

/// What a server wrote; shown as its last lines, on one line.
#[derive(Debug)]
pub struct Log(String);

impl Log {
    /// Whether it said so at any time.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.0.contains(words)
    }
}

impl Display for Log {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.lines().collect();
        f.write_str(&lines[lines.len().saturating_sub(LINES_SHOWN)..].join("; "))
    }
}
