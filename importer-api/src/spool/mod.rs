//! The files of the imports: in a folder of this machine, or in a bucket that
//! all replicas share.

mod bucket;
mod folder;
mod manifest;
mod reader;
mod upload;

use std::io;
use std::path::Path;
use std::time::Duration;

use common::runtime::ReadyProbe;
use uuid::Uuid;

pub use bucket::{Bucket, BucketError, BucketUpload, ObjectReader, OldImport};
use folder::Folder;
pub use folder::{Room, SpoolError};
use manifest::Checkpoint;
pub use manifest::Manifest;
pub use reader::FileReader;
pub use upload::{Received, Upload};

use crate::csv::Position;

/// Where the files are. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Spool(Place);

#[derive(Clone, Debug)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

impl Spool {
    /// Opens a folder, makes it if need be, and removes uploads that were cut
    /// off by a crash: nobody got a yes for them.
    ///
    /// # Errors
    /// When another process has it, or the file system refuses something.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        Folder::open(dir).map(|folder| Self(Place::Folder(folder)))
    }

    /// The imports of a bucket.
    pub fn in_bucket(bucket: Bucket) -> Self {
        Self(Place::Bucket(bucket))
    }

    /// What the ledger knows it by: replicas whose spool has the same name have
    /// the same files.
    pub fn name(&self) -> &str {
        match &self.0 {
            Place::Folder(folder) => folder.name(),
            Place::Bucket(bucket) => bucket.name(),
        }
    }

    /// Asks whether a bucket answers and takes writes; `None` for a folder.
    pub fn ready_probe(&self) -> Option<ReadyProbe> {
        match &self.0 {
            Place::Folder(_) => None,
            Place::Bucket(bucket) => Some(ReadyProbe::new(bucket, |bucket: Bucket| async move {
                bucket.is_ready().await
            })),
        }
    }

    /// Whether every replica has its files.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Place::Bucket(_))
    }

    /// Begins an upload. It is removed again unless it is committed.
    pub async fn begin(&self) -> io::Result<Upload> {
        Upload::begin(self).await
    }

    /// The imports of a folder that are not known to be sent to their end,
    /// oldest first. Of a shared spool the ledger knows.
    pub async fn unfinished(&self) -> io::Result<Vec<Uuid>> {
        match &self.0 {
            Place::Folder(folder) => folder.work(Folder::unfinished).await,
            Place::Bucket(_) => Ok(Vec::new()),
        }
    }

    /// The imports whose files are older than that.
    pub async fn older_than(&self, age: Duration) -> io::Result<Vec<OldImport>> {
        match &self.0 {
            Place::Folder(folder) => {
                let imports = folder.work(Folder::imports).await?;
                let old = imports.into_iter().filter(|id| is_older(*id, age));
                Ok(old
                    .map(|import_id| OldImport {
                        import_id,
                        has_manifest: true,
                    })
                    .collect())
            }
            Place::Bucket(bucket) => bucket.older_than(age).await,
        }
    }

    /// The manifest of an import; `None` if its file is not in this spool.
    pub async fn manifest_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        match &self.0 {
            Place::Folder(folder) => {
                folder
                    .work(move |folder| folder.manifest_of(import_id))
                    .await
            }
            Place::Bucket(bucket) => bucket.manifest_of(import_id).await,
        }
    }

    /// The manifest that a preview will have; `None` if it is none of this spool.
    pub async fn preview_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        match &self.0 {
            Place::Folder(folder) => {
                folder
                    .work(move |folder| folder.preview_of(import_id))
                    .await
            }
            Place::Bucket(bucket) => bucket.preview_of(import_id).await,
        }
    }

    /// Makes a preview an import, by its manifest. When this returns, neither a
    /// crash nor a loss of power loses it.
    pub async fn accept_preview(&self, manifest: &Manifest) -> io::Result<()> {
        match &self.0 {
            Place::Folder(folder) => {
                let manifest = manifest.clone();
                let accept = move |folder: &Folder| folder.accept_preview(&manifest);
                folder.work(accept).await
            }
            Place::Bucket(bucket) => bucket.accept_preview(manifest).await,
        }
    }

    /// All previews.
    pub async fn previews(&self) -> io::Result<Vec<Uuid>> {
        match &self.0 {
            Place::Folder(folder) => folder.work(Folder::previews).await,
            Place::Bucket(bucket) => bucket.previews().await,
        }
    }

    /// Opens the file of an import at that place.
    ///
    /// # Errors
    /// Of the kind `NotFound` where it is gone.
    pub async fn read(&self, import_id: Uuid, offset: u64) -> io::Result<FileReader> {
        match &self.0 {
            Place::Folder(folder) => {
                let file = folder.work(move |folder| folder.open_csv(import_id, offset));
                Ok(FileReader::of_file(file.await?))
            }
            Place::Bucket(bucket) => FileReader::of_object(bucket.read(import_id, offset)).await,
        }
    }

    /// Notes that nothing more is to be sent of an import, where the ledger
    /// alone would not be enough: what it has forgotten is not sent again.
    pub async fn mark_done(&self, import_id: Uuid, position: Position) -> io::Result<()> {
        match &self.0 {
            Place::Folder(folder) => {
                let mark = move |folder: &Folder| folder.mark_done(import_id, position);
                folder.work(mark).await
            }
            Place::Bucket(_) => Ok(()),
        }
    }

    /// Whether that was noted.
    pub async fn is_done(&self, import_id: Uuid) -> io::Result<bool> {
        match &self.0 {
            Place::Folder(folder) => folder.work(move |folder| folder.is_done(import_id)).await,
            Place::Bucket(_) => Ok(false),
        }
    }

    /// Removes the files of an import. Its manifest goes first and for good: of
    /// a crash in between, somebody removes later what is left.
    pub async fn remove(&self, import_id: Uuid) -> io::Result<()> {
        match &self.0 {
            Place::Folder(folder) => folder.work(move |folder| folder.remove(import_id)).await,
            Place::Bucket(bucket) => bucket.remove(import_id).await,
        }
    }

    /// Waits until nothing is left of uploads that were given up, for a moment:
    /// the process is ending.
    pub async fn close(&self) {
        if let Place::Bucket(bucket) = &self.0 {
            bucket.close().await;
        }
    }

    /// How much room is left; `None` where there is no end to it.
    pub async fn room(&self) -> io::Result<Option<Room>> {
        match &self.0 {
            Place::Folder(folder) => folder.work(|folder| folder.room().map(Some)).await,
            Place::Bucket(_) => Ok(None),
        }
    }
}

/// Whether an import is older than that, by the time that is in its id.
pub(crate) fn is_older(import_id: Uuid, age: Duration) -> bool {
    let Some(time) = import_id.get_timestamp() else {
        return false;
    };
    let (seconds, _) = time.to_unix();
    let made = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    made.elapsed().is_ok_and(|elapsed| elapsed >= age)
}

#[cfg(test)]
mod tests;
