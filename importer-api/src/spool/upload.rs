use std::io;

use bytes::Bytes;
use common::runtime::TraceContext;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tracing::warn;
use uuid::Uuid;

use super::bucket::{Bucket, BucketUpload};
use super::folder::Unfinished;
use super::{Manifest, Place, Spool};
use crate::blocking::blocking;
use crate::csv::Surveyed;

/// What the manifest of an upload tells beside the file itself.
#[derive(Clone, Debug)]
pub struct Received {
    /// The name that the client gave the file, fit to be shown.
    pub file_name: Option<String>,
    /// What its records are like.
    pub surveyed: Surveyed,
    /// Who uploads it; empty where clients have no tokens.
    pub client: String,
    /// The hash of its idempotency key, if it has one.
    pub key: Option<String>,
    /// The trace that the import belongs to, if there is one.
    pub trace: Option<TraceContext>,
}

/// An upload that comes in. Dropping it leaves nothing.
#[derive(Debug)]
pub struct Upload {
    import_id: Uuid,
    file: File,
    size: u64,
    hash: Sha256,
}

/// What an upload becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Import,
    Preview,
}

#[derive(Debug)]
enum File {
    Local(Unfinished),
    Object {
        bucket: Bucket,
        object: BucketUpload,
        /// Text that is still to be sent there.
        ready: Vec<Bytes>,
    },
}

impl Upload {
    pub(super) async fn begin(spool: &Spool) -> io::Result<Self> {
        // Version 7 sorts by time.
        let import_id = Uuid::now_v7();
        let file = match &spool.0 {
            Place::Folder(folder) => {
                File::Local(folder.work(move |folder| folder.begin(import_id)).await?)
            }
            Place::Bucket(bucket) => File::Object {
                bucket: bucket.clone(),
                object: bucket.begin(import_id),
                ready: Vec::new(),
            },
        };
        Ok(Self {
            import_id,
            file,
            size: 0,
            hash: Sha256::new(),
        })
    }

    /// Adds to the file. Size and hash are those of what came in, the text is
    /// what is kept of it. It may wait for the disk, and is followed by
    /// [`Upload::flush`].
    pub fn write(&mut self, came: &[u8], text: &[u8]) -> io::Result<()> {
        match &mut self.file {
            File::Local(file) => file.write(text)?,
            File::Object { ready, .. } => ready.push(Bytes::copy_from_slice(text)),
        }
        self.hash.update(came);
        self.size += came.len() as u64;
        Ok(())
    }

    /// Hands on what was written, to where that is not done at once.
    pub async fn flush(&mut self) -> io::Result<()> {
        if let File::Object { object, ready, .. } = &mut self.file {
            for text in std::mem::take(ready) {
                object.write(text).await?;
            }
        }
        Ok(())
    }

    /// SHA-256 of what has come in so far, in lower-case hex.
    pub fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// Makes the upload an import. When this returns, neither a crash nor a
    /// loss of power loses it.
    pub async fn commit(self, received: Received) -> io::Result<Manifest> {
        self.finish(received, Kind::Import).await
    }

    /// Keeps the upload as a preview.
    pub async fn keep_as_preview(self, received: Received) -> io::Result<Manifest> {
        self.finish(received, Kind::Preview).await
    }

    async fn finish(mut self, received: Received, kind: Kind) -> io::Result<Manifest> {
        self.flush().await?;
        let manifest = Manifest {
            import_id: self.import_id,
            file_name: received.file_name,
            size: self.size,
            sha256: self.sha256(),
            rows: received.surveyed.rows,
            layout: received.surveyed.layout,
            data_start: received.surveyed.data_start,
            accepted_at: Timestamp::now(),
            client: received.client,
            key: received.key,
            previewed: kind == Kind::Preview,
            trace: received.trace,
        };
        match self.file {
            File::Local(file) => {
                let kept = manifest.clone();
                blocking(move || match kind {
                    Kind::Import => file.finish(&kept),
                    Kind::Preview => file.finish_preview(&kept),
                })
                .await?;
            }
            File::Object { bucket, object, .. } => {
                object.complete().await?;
                let put = match kind {
                    Kind::Import => bucket.put_manifest(&manifest).await,
                    Kind::Preview => bucket.put_preview(&manifest).await,
                };
                if let Err(error) = put {
                    if let Err(error) = bucket.remove(manifest.import_id).await {
                        warn!(%error, "An unfinished upload cannot be removed yet");
                    }
                    return Err(error);
                }
            }
        }
        Ok(manifest)
    }
}
