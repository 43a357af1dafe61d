//! The files of the imports in S3, or in a store that is like it.
//!
//! An import is two objects: `<id>.csv`, the upload as text, and `<id>.json`,
//! its manifest, which is written last. How far it is sent is kept elsewhere. A
//! preview has `<id>.preview` in place of the manifest.

mod error;
mod health;
mod reader;
mod upload;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::messaging::BucketUrl;
use common::runtime::Backoff;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use uuid::Uuid;

pub use error::BucketError;
pub use reader::ObjectReader;
pub use upload::BucketUpload;

use health::Health;

use super::Manifest;

/// Bytes of a part of an upload, and the most that one upload buffers.
const PART: usize = 8 * 1024 * 1024;
/// Most parts of an object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: usize = 10_000;
/// Parts that are sent at a time, of all uploads together.
const PARTS_IN_FLIGHT: usize = 2;
/// Tries of what must not be done twice, and is therefore not tried again
/// below.
const TRIES: u32 = 4;
/// The longest wait before the second of them; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Time since the first after which it is not tried again.
const TRYING: Duration = Duration::from_secs(5);

/// The longest wait at the end of the process for what was given up to be
/// removed.
const CLOSING: Duration = Duration::from_secs(2);

/// An import whose files have been there for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldImport {
    /// The import.
    pub import_id: Uuid,
    /// Whether its upload came to its end.
    pub has_manifest: bool,
}

/// What an object is of an import.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Manifest,
    Preview,
}

/// A bucket, or a part of one. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Bucket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    name: String,
    /// One for each part that may be in flight.
    parts: Arc<Semaphore>,
    /// Uploads that may have left something.
    uploads: TaskTracker,
    health: Health,
}

impl Bucket {
    /// The bucket of that URL, by a store of all of it.
    pub fn new(store: Arc<dyn ObjectStore>, url: &BucketUrl) -> Self {
        Self(Arc::new(Shared {
            store,
            prefix: Path::from(url.prefix()),
            name: url.to_string(),
            parts: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            uploads: TaskTracker::new(),
            health: Health::default(),
        }))
    }

    /// Waits for a moment until nothing is left of uploads that were given up.
    pub async fn close(&self) {
        self.0.uploads.close();
        if timeout(CLOSING, self.0.uploads.wait()).await.is_err() {
            let uploads = self.0.uploads.len();
            warn!(uploads, "Parts of uploads may be left in the bucket");
        }
    }

    /// Its URL, `s3://bucket/prefix`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Begins an upload. It is removed again unless it is completed.
    pub fn begin(&self, import_id: Uuid) -> BucketUpload {
        BucketUpload::begin(self, import_id)
    }

    /// Writes the manifest of an import, once: from then on the import exists.
    /// One that is there with the same content is a success, as the answer to
    /// an earlier try may have been lost.
    ///
    /// # Errors
    /// When the bucket does not take it, or has another one.
    pub async fn put_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        let text = Bytes::from(serde_json::to_vec(manifest)?);
        let path = self.manifest(manifest.import_id);
        let (begun, mut tries_left) = (Instant::now(), TRIES);
        let mut backoff = Backoff::new(FIRST_WAIT, TRYING);
        loop {
            let payload = PutPayload::from_bytes(text.clone());
            let put = self
                .0
                .store
                .put_opts(&path, payload, PutMode::Create.into());
            let error = match put.await {
                Ok(_) => return Ok(()),
                Err(object_store::Error::AlreadyExists { .. }) => match self.object(&path).await? {
                    Some(there) if there == text => return Ok(()),
                    Some(_) => return Err(self.other_is_there(&path)),
                    // Another write to it is under way, or it was removed.
                    None => self.other_is_there(&path),
                },
                Err(error) => {
                    let error = self.failed("write", &path, &error);
                    if !error::may_pass(&error) {
                        return Err(error);
                    }
                    error
                }
            };
            tries_left -= 1;
            if tries_left == 0 || begun.elapsed() >= TRYING {
                return Err(error);
            }
            sleep(backoff.next_wait()).await;
        }
    }

    /// The manifest of an import; `None` if there is none.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses, or gives something else.
    pub async fn manifest_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        self.read_manifest(self.manifest(import_id)).await
    }

    /// Writes what the manifest of a preview will be.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses.
    pub async fn put_preview(&self, manifest: &Manifest) -> io::Result<()> {
        let path = self.preview(manifest.import_id);
        let payload = PutPayload::from(serde_json::to_vec(manifest)?);
        let put = self.0.store.put(&path, payload).await;
        put.map_err(|error| self.failed("write", &path, &error))?;
        Ok(())
    }

    /// What the manifest of a preview will be; `None` if there is none.
    ///
    /// # Errors
    /// As [`Bucket::manifest_of`].
    pub async fn preview_of(&self, import_id: Uuid) -> io::Result<Option<Manifest>> {
        self.read_manifest(self.preview(import_id)).await
    }

    /// Makes a preview an import, unless it is one by now: a client may ask two
    /// replicas. What is left of the preview, somebody removes later.
    ///
    /// # Errors
    /// As [`Bucket::put_manifest`].
    pub async fn accept_preview(&self, manifest: &Manifest) -> io::Result<()> {
        let import_id = manifest.import_id;
        if let Err(error) = self.put_manifest(manifest).await
            && self.manifest_of(import_id).await?.is_none()
        {
            return Err(error);
        }
        let preview = self.preview(import_id);
        if let Err(error) = self.remove_object(&preview).await {
            debug!(%error, "A preview that was accepted is left");
        }
        Ok(())
    }

    /// All previews.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses.
    pub async fn previews(&self) -> io::Result<Vec<Uuid>> {
        let objects = self.0.store.list(Some(&self.0.prefix));
        let failed = |error| self.failed("list", &self.0.prefix, &error);
        let objects = objects.map_err(failed);
        let previews = objects.try_filter_map(async |object| {
            Ok(match self.import_of(&object.location) {
                Some((import_id, Kind::Preview)) => Some(import_id),
                _ => None,
            })
        });
        previews.try_collect().await
    }

    async fn read_manifest(&self, path: Path) -> io::Result<Option<Manifest>> {
        let Some(text) = self.object(&path).await? else {
            return Ok(None);
        };
        let manifest = serde_json::from_slice(&text);
        manifest.map(Some).map_err(|_| {
            io::Error::other(BucketError::NoManifest {
                bucket: self.name().to_owned(),
                path: path.to_string(),
            })
        })
    }

    /// The upload of an import from a byte of it on. Nothing is asked yet.
    pub fn read(&self, import_id: Uuid, offset: u64) -> ObjectReader {
        ObjectReader::new(self.clone(), self.csv(import_id), offset)
    }

    /// Removes an import, its manifest first: without one it is rubbish.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses. It may be tried again.
    pub async fn remove(&self, import_id: Uuid) -> io::Result<()> {
        self.remove_object(&self.manifest(import_id)).await?;
        self.remove_object(&self.csv(import_id)).await?;
        self.remove_object(&self.preview(import_id)).await
    }

    /// The imports that have an object which was written longer ago than
    /// that, oldest first.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses.
    pub async fn older_than(&self, age: Duration) -> io::Result<Vec<OldImport>> {
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_sub(age);
        let mut imports: BTreeMap<Uuid, (bool, bool)> = BTreeMap::new();
        let mut objects = self.0.store.list(Some(&self.0.prefix));
        let failed = |error| self.failed("list", &self.0.prefix, &error);
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            let Some((import_id, kind)) = self.import_of(&object.location) else {
                continue;
            };
            let (is_old, has_manifest) = imports.entry(import_id).or_default();
            *is_old |= object.last_modified.timestamp() < until;
            *has_manifest |= kind == Kind::Manifest;
        }
        let old = imports.into_iter().filter(|(_, (is_old, _))| *is_old);
        Ok(old
            .map(|(import_id, (_, has_manifest))| OldImport {
                import_id,
                has_manifest,
            })
            .collect())
    }

    /// Whether the bucket answers and takes writes.
    pub async fn is_ready(&self) -> bool {
        self.0.health.ask(self.clone()).await
    }

    /// Asks it that.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn check(&self) -> io::Result<()> {
        let path = self.0.prefix.clone().join("ready");
        let put = self.0.store.put(&path, PutPayload::from_static(b"ready\n"));
        put.await
            .map_err(|error| self.failed("write", &path, &error))?;
        Ok(())
    }

    /// The import of an object, and what it is of it.
    fn import_of(&self, location: &Path) -> Option<(Uuid, Kind)> {
        let mut steps = location.prefix_match(&self.0.prefix)?;
        let name = steps.next()?;
        if steps.next().is_some() {
            return None;
        }
        let (import_id, kind) = name.as_ref().split_once('.')?;
        let kind = match kind {
            "json" => Kind::Manifest,
            "csv" => Kind::File,
            "preview" => Kind::Preview,
            _ => return None,
        };
        Some((Uuid::try_parse(import_id).ok()?, kind))
    }

    /// The content of a small object; `None` if there is none.
    async fn object(&self, path: &Path) -> io::Result<Option<Bytes>> {
        let content = async { self.0.store.get(path).await?.bytes().await };
        match content.await {
            Ok(content) => Ok(Some(content)),
            Err(error) => match self.failed("read", path, &error) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn remove_object(&self, path: &Path) -> io::Result<()> {
        match self.0.store.delete(path).await {
            Ok(()) => Ok(()),
            Err(error) => match self.failed("remove", path, &error) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }

    fn failed(&self, what: &'static str, path: &Path, error: &object_store::Error) -> io::Error {
        error::told(self.name(), what, path, error)
    }

    fn other_is_there(&self, path: &Path) -> io::Error {
        io::Error::other(BucketError::Other {
            bucket: self.name().to_owned(),
            path: path.to_string(),
        })
    }

    fn csv(&self, import_id: Uuid) -> Path {
        self.0.prefix.clone().join(format!("{import_id}.csv"))
    }

    fn preview(&self, import_id: Uuid) -> Path {
        self.0.prefix.clone().join(format!("{import_id}.preview"))
    }

    fn manifest(&self, import_id: Uuid) -> Path {
        self.0.prefix.clone().join(format!("{import_id}.json"))
    }
}
