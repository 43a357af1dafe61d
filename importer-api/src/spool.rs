//! The files of the imports, and how far each is sent.
//!
//! An import is three files: `<id>.csv`, the upload; `<id>.json`, its
//! manifest; `<id>.checkpoint`, how far it is sent. It exists once its
//! manifest does, which is written last and synced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::ledger::NewImport;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::{info, warn};
use uuid::Uuid;

use crate::csv::{Layout, Position, Surveyed};

/// An accepted upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The import.
    pub import_id: Uuid,
    /// The name that the client gave the file.
    pub file_name: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file, in lower-case hex.
    #[serde(default)]
    pub sha256: String,
    /// Data records.
    pub rows: u64,
    /// How its records hold the columns.
    pub layout: Layout,
    /// Where its first data record may start.
    pub data_start: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// How far an import is sent: SQS has accepted every row before `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where sending goes on.
    pub position: Position,
    /// All rows are sent.
    pub done: bool,
}

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

/// The spool folder. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    /// Locked for as long as this process works in the folder.
    _lock: Arc<File>,
}

impl Spool {
    /// Opens the folder, makes it if need be, and removes uploads that were
    /// cut off by a crash: nobody got a yes for them.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Io {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => SpoolError::InUse(dir.to_owned()),
            fs::TryLockError::Error(source) => failed(source),
        })?;
        let spool = Self {
            dir: dir.to_owned(),
            _lock: Arc::new(lock),
        };
        spool.remove_rubbish().map_err(failed)?;
        Ok(spool)
    }

    /// Begins an upload. It is removed again unless it is committed.
    pub fn begin(&self) -> io::Result<Upload> {
        // Version 7 sorts by time.
        let import_id = Uuid::now_v7();
        let path = self.csv(import_id);
        let file = File::create_new(&path)?;
        Ok(Upload {
            spool: self.clone(),
            import_id,
            file,
            path: Some(path),
            size: 0,
        })
    }

    /// The imports that are not sent to their end, oldest first, and where
    /// each goes on.
    pub fn unfinished(&self) -> io::Result<Vec<(Manifest, Position)>> {
        let mut unfinished = Vec::new();
        for manifest in self.manifests()? {
            match self.checkpoint_of(manifest.import_id)? {
                Some(checkpoint) if checkpoint.done => {}
                Some(checkpoint) => unfinished.push((manifest, checkpoint.position)),
                None => {
                    let start = manifest.start();
                    unfinished.push((manifest, start));
                }
            }
        }
        Ok(unfinished)
    }

    /// The imports of which nothing more is to be sent, oldest first.
    pub fn finished(&self) -> io::Result<Vec<Manifest>> {
        let mut finished = Vec::new();
        for manifest in self.manifests()? {
            let checkpoint = self.checkpoint_of(manifest.import_id)?;
            if checkpoint.is_some_and(|checkpoint| checkpoint.done) {
                finished.push(manifest);
            }
        }
        Ok(finished)
    }

    /// Every import of the folder, oldest first.
    fn manifests(&self) -> io::Result<Vec<Manifest>> {
        let mut manifests: Vec<Manifest> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                match read_json(&path)? {
                    Some(manifest) => manifests.push(manifest),
                    None => warn!(path = %path.display(), "Manifest cannot be read, left alone"),
                }
            }
        }
        manifests.sort_by_key(|manifest| manifest.import_id);
        Ok(manifests)
    }

    fn checkpoint_of(&self, import_id: Uuid) -> io::Result<Option<Checkpoint>> {
        read_json(&self.checkpoint(import_id))
    }

    /// Removes an import. Its manifest goes first: what a crash leaves then is
    /// rubbish that the next start removes.
    pub fn remove(&self, import_id: Uuid) -> io::Result<()> {
        fs::remove_file(self.manifest(import_id))?;
        File::open(&self.dir)?.sync_all()?;
        fs::remove_file(self.csv(import_id))?;
        fs::remove_file(self.checkpoint(import_id))
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
    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        let temporary = path.with_added_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(&self.dir)?.sync_all()
    }

    fn remove_rubbish(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let extension = path.extension().unwrap_or_default();
            let is_rubbish =
                extension == "tmp" || extension == "csv" && !path.with_extension("json").exists();
            if is_rubbish {
                info!(path = %path.display(), "Removing what a crash left unfinished");
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

impl From<&Manifest> for NewImport {
    fn from(manifest: &Manifest) -> Self {
        Self {
            import_id: manifest.import_id,
            file_name: manifest.file_name.clone(),
            size: manifest.size,
            sha256: manifest.sha256.clone(),
            rows: manifest.rows,
            accepted_at: manifest.accepted_at,
        }
    }
}

impl Manifest {
    /// Before the first data record.
    pub fn start(&self) -> Position {
        Position {
            offset: self.data_start,
            rows: 0,
        }
    }
}

/// `None` if the file is not there or is not what it should be.
fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An upload that comes in.
#[derive(Debug)]
pub struct Upload {
    spool: Spool,
    import_id: Uuid,
    file: File,
    /// `None` once it is committed.
    path: Option<PathBuf>,
    size: u64,
}

impl Upload {
    /// Adds to the file.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Makes the upload an import. When this returns, neither a crash nor a
    /// loss of power loses it.
    pub fn commit(mut self, file_name: Option<String>, surveyed: Surveyed) -> io::Result<Manifest> {
        self.file.sync_all()?;
        let manifest = Manifest {
            import_id: self.import_id,
            file_name,
            size: self.size,
            sha256: String::new(),
            rows: surveyed.rows,
            layout: surveyed.layout,
            data_start: surveyed.data_start,
            accepted_at: Timestamp::now(),
        };
        let path = self.spool.manifest(self.import_id);
        self.spool.write_json(&path, &manifest)?;
        self.path = None;
        Ok(manifest)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        // A manifest that was renamed and not synced must go first.
        let _ = fs::remove_file(self.spool.manifest(self.import_id));
        if let Err(error) = fs::remove_file(&path) {
            warn!(path = %path.display(), %error, "An unfinished upload cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed() -> Surveyed {
        Surveyed {
            layout: Layout {
                delimiter: b',',
                columns: [0, 1, 2, 3, 4, 5],
                width: 6,
            },
            data_start: 5,
            rows: 3,
        }
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count() - 1
    }

    #[test]
    fn an_import_is_unfinished_until_its_checkpoint_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let mut upload = spool.begin().unwrap();
        upload.write(b"hello").unwrap();
        let manifest = upload.commit(Some("a.csv".into()), surveyed()).unwrap();
        assert_eq!(manifest.size, 5);
        let start = Position { offset: 5, rows: 0 };
        assert_eq!(spool.unfinished().unwrap(), [(manifest.clone(), start)]);

        let position = Position { offset: 9, rows: 2 };
        let mut checkpoint = Checkpoint {
            position,
            done: false,
        };
        spool
            .save_checkpoint(manifest.import_id, checkpoint)
            .unwrap();
        assert_eq!(spool.unfinished().unwrap(), [(manifest.clone(), position)]);

        checkpoint.done = true;
        spool
            .save_checkpoint(manifest.import_id, checkpoint)
            .unwrap();
        assert_eq!(spool.unfinished().unwrap(), []);
    }

    #[test]
    fn an_upload_that_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let mut upload = spool.begin().unwrap();
        upload.write(b"hello").unwrap();
        assert_eq!(files(dir.path()), 1);
        drop(upload);
        assert_eq!(files(dir.path()), 0);
    }

    #[test]
    fn what_a_crash_left_unfinished_is_removed_and_the_rest_kept() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let kept = spool.begin().unwrap().commit(None, surveyed()).unwrap();
        fs::write(dir.path().join("x.csv"), "cut off").unwrap();
        fs::write(dir.path().join("x.json.tmp"), "{").unwrap();
        drop(spool);
        let spool = Spool::open(dir.path()).unwrap();
        assert_eq!(files(dir.path()), 2);
        assert_eq!(spool.unfinished().unwrap()[0].0, kept);
    }

    #[test]
    fn two_processes_do_not_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Spool::open(dir.path()).unwrap();
        assert!(matches!(Spool::open(dir.path()), Err(SpoolError::InUse(_))));
    }
}
