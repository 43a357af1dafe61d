//! Where a Redis server keeps its data and its log.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::RedisError;

/// How many of the last lines of the log an error shows.
const LOG_LINES_IN_ERROR: usize = 5;

/// The directory of one server.
#[derive(Debug)]
pub(super) enum DataDirectory {
    /// The caller's own, which stays.
    Kept(PathBuf),
    /// Removed when this is dropped.
    Temporary(TempDir),
}

impl DataDirectory {
    /// The given directory, created if need be, or a temporary one.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, RedisError> {
        let Some(path) = directory else {
            return tempfile::Builder::new()
                .prefix("redis-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|source| RedisError::DataDirectory {
                    path: env::temp_dir(),
                    source,
                });
        };
        fs::create_dir_all(path)
            .map(|()| Self::Kept(path.to_owned()))
            .map_err(|source| RedisError::DataDirectory {
                path: path.to_owned(),
                source,
            })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// A log of this run only, so that an error never shows the words of an earlier one.
    pub(super) fn open_log(&self) -> Result<File, RedisError> {
        let path = self.log_path();
        File::create(&path).map_err(|source| RedisError::DataDirectory { path, source })
    }

    /// The last lines of the log, on one line.
    pub(super) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_IN_ERROR)..].join("; ")
    }

    fn log_path(&self) -> PathBuf {
        self.path().join("redis.log")
    }
}
