//! The files of the imports, and how far each is sent.
//!
//! An import is three files: `<id>.csv`, the upload as text; `<id>.json`, its
//! manifest; `<id>.checkpoint`, how far it is sent. It exists once its
//! manifest does, which is written last and synced.

mod manifest;
mod upload;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use uuid::Uuid;

pub use manifest::{Checkpoint, Manifest};
pub use upload::{Received, Upload};

use crate::blocking::blocking;
use crate::csv::Position;

/// Threads that uploads have at a time.
const UPLOAD_THREADS: usize = 4;

/// The spool folder cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Another process works there.
    #[error("SPOOL_DIR {0} is in use by another importer-api; give each its own folder")]
    InUse(PathBuf),
    /// The file system refused something.
    #[error("SPOOL_DIR {path}: {source}; it takes a folder that can be written")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The room of the spool's file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The spool folder. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    /// Locked for as long as this process works in the folder.
    _lock: Arc<File>,
    /// Threads that may work on uploads.
    threads: Arc<Semaphore>,
    /// Held by the one that does.
    turn: Arc<Mutex<()>>,
}

impl Spool {
    /// Opens the folder, makes it if need be, and removes uploads that were
    /// cut off by a crash: nobody got a yes for them.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io {
            path: dir.to_owned(),
            source,
        };
        make_private_folder(dir).map_err(failed)?;
        let lock = private_file()
            .truncate(true)
            .create(true)
            .open(dir.join("lock"));
        let lock = lock.map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => SpoolError::InUse(dir.to_owned()),
            fs::TryLockError::Error(source) => failed(source),
        })?;
        let spool = Self {
            dir: dir.to_owned(),
            _lock: Arc::new(lock),
            threads: Arc::new(Semaphore::new(UPLOAD_THREADS)),
            turn: Arc::default(),
        };
        spool.remove_rubbish().map_err(failed)?;
        Ok(spool)
    }

    /// Works on pieces of an upload, on a thread that may wait for the disk.
    /// A few uploads have such a thread at a time, however many come in, and
    /// one of them works: that leaves a core to the thread that answers
    /// requests, and the next one need not be woken by that.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        // The semaphore is never closed.
        let thread = Arc::clone(&self.threads).acquire_owned().await.ok();
        let turn = Arc::clone(&self.turn);
        blocking(move || {
            let _thread = thread;
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(work())
        })
        .await
    }

    /// Begins an upload. It is removed again unless it is committed.
    pub fn begin(&self) -> io::Result<Upload> {
        Upload::begin(self)
    }

    /// The imports that are not sent to their end, oldest first.
    pub fn unfinished(&self) -> io::Result<Vec<Uuid>> {
        self.imports(false)
    }

    /// The imports of which nothing more is to be sent, oldest first.
    pub fn finished(&self) -> io::Result<Vec<Uuid>> {
        self.imports(true)
    }

    /// The imports of the folder that are done or not, oldest first.
    fn imports(&self, done: bool) -> io::Result<Vec<Uuid>> {
        let mut imports = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let import_id = path.file_stem().and_then(OsStr::to_str);
            let import_id = import_id.and_then(|id| Uuid::try_parse(id).ok());
            if path.extension().is_some_and(|kind| kind == "json")
                && let Some(import_id) = import_id
                && self.is_done(import_id)? == done
            {
                imports.push(import_id);
            }
        }
        imports.sort_unstable();
        Ok(imports)
    }

    fn is_done(&self, import_id: Uuid) -> io::Result<bool> {
        let checkpoint = self.checkpoint_of(import_id)?;
        Ok(checkpoint.is_some_and(|checkpoint| checkpoint.done))
    }

    /// An import, and where sending goes on; `None` if nothing more is to be
    /// sent of it, or there is no manifest that can be read.
    pub fn resume(&self, import_id: Uuid) -> io::Result<Option<(Manifest, Position)>> {
        let Some(manifest) = self.manifest_of(import_id)? else {
            return Ok(None);
        };
        let start = manifest.start();
        Ok(match self.checkpoint_of(import_id)? {
            Some(checkpoint) if checkpoint.done => None,
            Some(checkpoint) => Some((manifest, checkpoint.position)),
            None => Some((manifest, start)),
        })
    }

    fn checkpoint_of(&self, import_id: Uuid) -> io::Result<Option<Checkpoint>> {
        read_json(&self.checkpoint(import_id))
    }

    /// The manifest of an import; `None` if its file is not in this spool.
    pub fn manifest_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        read_json(&self.manifest(import_id))
    }

    /// Opens the upload of an import.
    pub fn open_csv(&self, import_id: Uuid) -> io::Result<File> {
        File::open(self.csv(import_id))
    }

    /// Records how far an import is sent.
    pub fn save_checkpoint(&self, import_id: Uuid, checkpoint: Checkpoint) -> io::Result<()> {
        self.write_json(&self.checkpoint(import_id), &checkpoint)
    }

    /// Removes an import. Its manifest goes first and for good: of a crash in
    /// between, the next start removes what is left.
    pub fn remove(&self, import_id: Uuid) -> io::Result<()> {
        remove_if_there(&self.manifest(import_id))?;
        self.sync()?;
        remove_if_there(&self.csv(import_id))?;
        remove_if_there(&self.checkpoint(import_id))
    }

    /// How much room its file system has.
    pub fn room(&self) -> io::Result<Room> {
        let stat = rustix::fs::statvfs(&self.dir)?;
        Ok(Room {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            size: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    fn csv(&self, import_id: Uuid) -> PathBuf {
        self.dir.join(format!("{import_id}.csv"))
    }

    fn manifest(&self, import_id: Uuid) -> PathBuf {
        self.dir.join(format!("{import_id}.json"))
    }

    fn checkpoint(&self, import_id: Uuid) -> PathBuf {
        self.dir.join(format!("{import_id}.checkpoint"))
    }

    /// Writes a file that is either wholly there after a crash or not at all.
    /// Where that fails, what was there stays as it was.
    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        let temporary = path.with_added_extension("tmp");
        let written = write_synced(&temporary, &serde_json::to_vec(value)?)
            .and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        self.sync()
    }

    /// Makes last what was made, renamed or removed in the folder.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn remove_rubbish(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let extension = path.extension().unwrap_or_default();
            let is_of_an_import = extension == "csv" || extension == "checkpoint";
            let is_rubbish =
                extension == "tmp" || is_of_an_import && !path.with_extension("json").exists();
            if is_rubbish {
                info!(path = %path.display(), "Removing what a crash left unfinished");
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Makes the folder one that only its owner reads: uploads hold documents and
/// addresses.
fn make_private_folder(dir: &Path) -> io::Result<()> {
    const OWNER_ONLY: u32 = 0o700;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY)
        .create(dir)?;
    let mut permissions = fs::metadata(dir)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(OWNER_ONLY);
        if let Err(error) = fs::set_permissions(dir, permissions) {
            // The files are private themselves.
            warn!(path = %dir.display(), %error, "SPOOL_DIR can be listed by others");
        }
    }
    Ok(())
}

/// How a file is opened for writing that only its owner reads.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = private_file().truncate(true).create(true).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `None` if the file is not there or is not what it should be.
fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
