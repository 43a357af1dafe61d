//! A spool that is a folder of this machine.
//!
//! An import is `<id>.csv`, the upload as text; `<id>.json`, its manifest, which
//! is written last and synced: the import exists once that does; and
//! `<id>.checkpoint` once nothing more is to be sent of it. A preview has
//! `<id>.preview` in place of the manifest.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Checkpoint, Manifest};
use crate::blocking::blocking;
use crate::csv::Position;

/// Holds the name of the folder, whichever machine has it.
const NODE_FILE: &str = "node";

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The spool folder. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    name: Arc<str>,
    /// Locked for as long as this process works in the folder.
    _lock: Arc<File>,
    /// Held while a preview is made an import: a client may ask for it twice at
    /// a time.
    accepting: Arc<Mutex<()>>,
}

impl Folder {
    /// Opens the folder, makes it if need be, and removes uploads that were
    /// cut off by a crash: nobody got a yes for them.
    pub(super) fn open(dir: &Path) -> Result<Self, SpoolError> {
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
        let mut folder = Self {
            dir: dir.to_owned(),
            name: "".into(),
            _lock: Arc::new(lock),
            accepting: Arc::default(),
        };
        folder.remove_rubbish().map_err(failed)?;
        folder.name = folder.read_name().map_err(failed)?.into();
        Ok(folder)
    }

    /// Works in the folder, on a thread that may wait for the disk.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = self.clone();
        blocking(move || work(&folder)).await
    }

    /// What the ledger knows the folder by, as long as it is there.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn read_name(&self) -> io::Result<String> {
        let path = self.dir.join(NODE_FILE);
        if let Some(node) = read_json::<Uuid>(&path)? {
            return Ok(format!("node:{node}"));
        }
        let node = Uuid::new_v4();
        self.write_json(&path, &node)?;
        Ok(format!("node:{node}"))
    }

    /// Begins the file of an import.
    pub(super) fn begin(&self, import_id: Uuid) -> io::Result<Unfinished> {
        let path = self.csv(import_id);
        let file = private_file().create_new(true).open(&path)?;
        Ok(Unfinished {
            folder: self.clone(),
            import_id,
            file,
            path: Some(path),
        })
    }

    /// The imports that are not known to be sent to their end, oldest first.
    pub(super) fn unfinished(&self) -> io::Result<Vec<Uuid>> {
        let mut unfinished = Vec::new();
        for import_id in self.imports()? {
            if !self.is_done(import_id)? {
                unfinished.push(import_id);
            }
        }
        Ok(unfinished)
    }

    /// All imports, oldest first.
    pub(super) fn imports(&self) -> io::Result<Vec<Uuid>> {
        self.ids_of("json")
    }

    /// All previews.
    pub(super) fn previews(&self) -> io::Result<Vec<Uuid>> {
        self.ids_of("preview")
    }

    /// Those that have a file of that kind, oldest first.
    fn ids_of(&self, kind: &str) -> io::Result<Vec<Uuid>> {
        let mut imports = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let import_id = path.file_stem().and_then(OsStr::to_str);
            let import_id = import_id.and_then(|id| Uuid::try_parse(id).ok());
            if path.extension().is_some_and(|extension| extension == kind)
                && let Some(import_id) = import_id
            {
                imports.push(import_id);
            }
        }
        imports.sort_unstable();
        Ok(imports)
    }

    /// Whether it is known that nothing more is to be sent of an import.
    pub(super) fn is_done(&self, import_id: Uuid) -> io::Result<bool> {
        let checkpoint = self.checkpoint_of(import_id)?;
        Ok(checkpoint.is_some_and(|checkpoint| checkpoint.done))
    }

    fn checkpoint_of(&self, import_id: Uuid) -> io::Result<Option<Checkpoint>> {
        read_json(&self.checkpoint(import_id))
    }

    /// The manifest of an import; `None` where it has none.
    pub(super) fn manifest_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        read_json(&self.manifest(import_id))
    }

    /// What the manifest of a preview will be; `None` where it is none.
    pub(super) fn preview_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        read_json(&self.preview(import_id))
    }

    /// Makes a preview an import, unless it is one by now.
    pub(super) fn accept_preview(&self, manifest: &Manifest) -> io::Result<()> {
        let _turn = self
            .accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let path = self.manifest(manifest.import_id);
        if !path.try_exists()? {
            self.write_json(&path, manifest)?;
        }
        remove_if_there(&self.preview(manifest.import_id))
    }

    /// Opens the file of an import at that place.
    pub(super) fn open_csv(&self, import_id: Uuid, offset: u64) -> io::Result<File> {
        let mut file = File::open(self.csv(import_id))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// Notes that nothing more is to be sent of an import, so that it is not
    /// even where the ledger has forgotten it.
    pub(super) fn mark_done(&self, import_id: Uuid, position: Position) -> io::Result<()> {
        let done = true;
        self.write_json(&self.checkpoint(import_id), &Checkpoint { position, done })
    }

    /// Removes an import. Its manifest goes first and for good: of a crash in
    /// between, the next start removes what is left.
    pub(super) fn remove(&self, import_id: Uuid) -> io::Result<()> {
        remove_if_there(&self.manifest(import_id))?;
        self.sync()?;
        remove_if_there(&self.csv(import_id))?;
        remove_if_there(&self.preview(import_id))?;
        remove_if_there(&self.checkpoint(import_id))
    }

    /// How much room its file system has.
    pub(super) fn room(&self) -> io::Result<Room> {
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

    fn preview(&self, import_id: Uuid) -> PathBuf {
        self.dir.join(format!("{import_id}.preview"))
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
            let has = |kind| path.with_extension(kind).exists();
            let is_rubbish = extension == "tmp"
                || is_of_an_import && !has("json") && !has("preview")
                || extension == "preview" && has("json");
            if is_rubbish {
                info!(path = %path.display(), "Removing what a crash left unfinished");
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// The file of an import that is not there yet. It is removed again unless its
/// manifest is written.
#[derive(Debug)]
pub(super) struct Unfinished {
    folder: Folder,
    import_id: Uuid,
    file: File,
    /// `None` once it is an import.
    path: Option<PathBuf>,
}

impl Unfinished {
    /// Adds to the file.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.write_all(text)
    }

    /// Makes it an import. When this returns, neither a crash nor a loss of
    /// power loses it.
    pub(super) fn finish(self, manifest: &Manifest) -> io::Result<()> {
        let path = self.folder.manifest(self.import_id);
        self.finish_as(&path, manifest)
    }

    /// Makes it a preview.
    pub(super) fn finish_preview(self, manifest: &Manifest) -> io::Result<()> {
        let path = self.folder.preview(self.import_id);
        self.finish_as(&path, manifest)
    }

    fn finish_as(mut self, path: &Path, manifest: &Manifest) -> io::Result<()> {
        self.file.sync_all()?;
        self.folder.write_json(path, manifest)?;
        self.path = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        // A manifest that was renamed and not synced must go first.
        let _ = fs::remove_file(self.folder.manifest(self.import_id));
        let _ = fs::remove_file(self.folder.preview(self.import_id));
        if let Err(error) = fs::remove_file(&path) {
            warn!(path = %path.display(), %error, "An unfinished upload cannot be removed");
        }
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
