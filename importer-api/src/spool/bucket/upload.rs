use std::io;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use common::runtime::Backoff;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload, PutPayloadMut};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;
use uuid::Uuid;

use super::{Bucket, BucketError, MOST_PARTS, PART};

/// Bytes of one allocation of the buffer: a small file takes little memory,
/// and a large one is not moved while it grows.
const BLOCK: usize = 64 * 1024;
/// The wait before the second try to remove what an upload left; each further
/// one is up to twice as long.
const CLEANING: Duration = Duration::from_secs(1);
/// The longest of these waits.
const CLEANING_AGAIN: Duration = Duration::from_mins(1);
/// Time after which it is left to the lifecycle rule of the bucket.
const CLEANED_WITHIN: Duration = Duration::from_hours(1);

/// An upload that comes in. It is removed again unless it is completed.
#[derive(Debug)]
pub struct BucketUpload {
    bucket: Bucket,
    /// What must be removed again; `None` once nothing must.
    begun: Option<Begun>,
    buffer: PutPayloadMut,
    /// All bytes that were written.
    size: u64,
    /// The process waits at its end until this and what it leaves are gone.
    _token: TaskTrackerToken,
}

/// What an upload has in the bucket so far.
#[derive(Debug)]
struct Begun {
    path: Path,
    multipart: Option<Box<dyn MultipartUpload>>,
    parts: usize,
    sending: JoinSet<object_store::Result<()>>,
    /// Whether the object itself may be there.
    is_object: bool,
}

impl BucketUpload {
    pub(super) fn begin(bucket: &Bucket, import_id: Uuid) -> Self {
        Self {
            bucket: bucket.clone(),
            begun: Some(Begun {
                path: bucket.csv(import_id),
                multipart: None,
                parts: 0,
                sending: JoinSet::new(),
                is_object: false,
            }),
            buffer: buffer(),
            size: 0,
            _token: bucket.0.uploads.token(),
        }
    }

    /// Adds to the file. It waits where as many parts are on their way as may
    /// be.
    ///
    /// # Errors
    /// When a part did not arrive. The upload must be given up.
    pub async fn write(&mut self, mut bytes: Bytes) -> io::Result<()> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PART - self.buffer.content_length();
            if room == 0 {
                self.send_part().await?;
                continue;
            }
            let taken = bytes.split_to(room.min(bytes.len()));
            self.buffer.extend_from_slice(&taken);
        }
        Ok(())
    }

    /// Makes the file an object. When this returns, it is stored for good.
    ///
    /// # Errors
    /// When the bucket did not take all of it. Nothing is left of it then, or
    /// will be as soon as the bucket answers.
    pub async fn complete(mut self) -> io::Result<()> {
        if self.begun.as_ref().is_some_and(|begun| begun.parts > 0) {
            self.send_part().await?;
            self.complete_parts().await?;
        } else {
            self.put().await?;
        }
        self.begun = None;
        Ok(())
    }

    /// Sends the buffer as one part, once there is a place for it.
    async fn send_part(&mut self) -> io::Result<()> {
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        if begun.parts == MOST_PARTS {
            return Err(io::Error::other(BucketError::TooLarge {
                bucket: self.bucket.name().to_owned(),
                path: begun.path.to_string(),
            }));
        }
        let permit = place(&self.bucket).await;
        let multipart = begun.multipart(&self.bucket).await?;
        let part = multipart.put_part(mem::replace(&mut self.buffer, buffer()).freeze());
        begun.parts += 1;
        begun.sending.spawn(async move {
            let _permit = permit;
            part.await
        });
        while let Some(sent) = begun.sending.try_join_next() {
            taken(&self.bucket, &begun.path, sent)?;
        }
        Ok(())
    }

    /// Waits for all parts, and makes them one object.
    async fn complete_parts(&mut self) -> io::Result<()> {
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        while let Some(sent) = begun.sending.join_next().await {
            taken(&self.bucket, &begun.path, sent)?;
        }
        begun.is_object = true;
        let completed = match &mut begun.multipart {
            Some(multipart) => multipart.complete().await,
            None => return Ok(()),
        };
        let Err(error) = completed else {
            return Ok(());
        };
        // It may have been made, and the answer lost: a second try is told
        // that there is no such upload.
        let there = self.bucket.0.store.head(&begun.path).await;
        if there.is_ok_and(|there| there.size == self.size) {
            return Ok(());
        }
        Err(match self.bucket.failed("write", &begun.path, &error) {
            gone if gone.kind() == io::ErrorKind::NotFound => io::Error::other(gone),
            error => error,
        })
    }

    /// Writes a file that is small.
    async fn put(&mut self) -> io::Result<()> {
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        let _permit = place(&self.bucket).await;
        begun.is_object = true;
        let payload: PutPayload = mem::take(&mut self.buffer).freeze();
        let put = self.bucket.0.store.put(&begun.path, payload).await;
        put.map_err(|error| self.bucket.failed("write", &begun.path, &error))?;
        Ok(())
    }
}

impl Begun {
    /// The multipart upload, which is begun if it is not.
    async fn multipart(&mut self, bucket: &Bucket) -> io::Result<&mut Box<dyn MultipartUpload>> {
        let begun = if let Some(begun) = self.multipart.take() {
            begun
        } else {
            let begun = bucket.0.store.put_multipart(&self.path).await;
            begun.map_err(|error| bucket.failed("write", &self.path, &error))?
        };
        Ok(self.multipart.insert(begun))
    }

    fn is_nothing(&self) -> bool {
        self.multipart.is_none() && !self.is_object
    }

    async fn remove(&mut self, bucket: &Bucket) -> io::Result<()> {
        // A part that arrives after the end would stay.
        while self.sending.join_next().await.is_some() {}
        if self.is_object {
            bucket.remove_object(&self.path).await?;
            self.is_object = false;
        }
        if let Some(multipart) = &mut self.multipart {
            let aborted = multipart.abort().await;
            let aborted = aborted.map_err(|error| bucket.failed("remove", &self.path, &error));
            match aborted {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.multipart = None,
            }
        }
        Ok(())
    }

    /// The same, tried again until the bucket takes it.
    async fn clean_up(mut self, bucket: Bucket) {
        let mut backoff = Backoff::new(CLEANING, CLEANING_AGAIN);
        let (begun, mut is_told) = (Instant::now(), false);
        while let Err(error) = self.remove(&bucket).await {
            if begun.elapsed() >= CLEANED_WITHIN {
                warn!(%error, "An unfinished upload was not removed");
                return;
            }
            if !mem::replace(&mut is_told, true) {
                warn!(%error, "An unfinished upload cannot be removed, trying again");
            }
            sleep(backoff.next_wait()).await;
        }
    }
}

impl Drop for BucketUpload {
    fn drop(&mut self) {
        let begun = self.begun.take().filter(|begun| !begun.is_nothing());
        let Some((begun, runtime)) = begun.zip(Handle::try_current().ok()) else {
            return;
        };
        let uploads = &self.bucket.0.uploads;
        uploads.spawn_on(begun.clean_up(self.bucket.clone()), &runtime);
    }
}

fn buffer() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK)
}

/// A place among the parts that are on their way. The semaphore is never
/// closed.
async fn place(bucket: &Bucket) -> Option<OwnedSemaphorePermit> {
    let parts = bucket.0.parts.clone();
    parts.acquire_owned().await.ok()
}

/// How a part that was sent ended.
fn taken(
    bucket: &Bucket,
    path: &Path,
    sent: Result<object_store::Result<()>, JoinError>,
) -> io::Result<()> {
    let sent = sent.map_err(io::Error::other)?;
    sent.map_err(|error| match bucket.failed("write", path, &error) {
        // The upload, not an object that somebody asks for.
        gone if gone.kind() == io::ErrorKind::NotFound => io::Error::other(gone),
        error => error,
    })
}
