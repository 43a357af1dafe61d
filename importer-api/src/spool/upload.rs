use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tracing::warn;
use uuid::Uuid;

use super::{Manifest, Spool, private_file};
use crate::csv::Surveyed;

/// What the manifest of an upload tells beside the file itself.
#[derive(Clone, Debug)]
pub struct Received {
    /// The name that the client gave the file, fit to be shown.
    pub file_name: Option<String>,
    /// What its records are like.
    pub surveyed: Surveyed,
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
    hash: Sha256,
}

impl Upload {
    pub(super) fn begin(spool: &Spool) -> io::Result<Self> {
        // Version 7 sorts by time.
        let import_id = Uuid::now_v7();
        let path = spool.csv(import_id);
        let file = private_file().create_new(true).open(&path)?;
        Ok(Self {
            spool: spool.clone(),
            import_id,
            file,
            path: Some(path),
            size: 0,
            hash: Sha256::new(),
        })
    }

    /// Adds to the file. Size and hash are those of what came in, the text is
    /// what is kept of it.
    pub fn write(&mut self, came: &[u8], text: &[u8]) -> io::Result<()> {
        self.file.write_all(text)?;
        self.hash.update(came);
        self.size += came.len() as u64;
        Ok(())
    }

    /// SHA-256 of what has come in so far, in lower-case hex.
    pub fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// Makes the upload an import. When this returns, neither a crash nor a
    /// loss of power loses it.
    pub fn commit(mut self, received: Received) -> io::Result<Manifest> {
        self.file.sync_all()?;
        let manifest = Manifest {
            import_id: self.import_id,
            file_name: received.file_name,
            size: self.size,
            sha256: self.sha256(),
            rows: received.surveyed.rows,
            layout: received.surveyed.layout,
            data_start: received.surveyed.data_start,
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
