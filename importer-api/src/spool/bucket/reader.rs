use std::io;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use tokio_util::task::AbortOnDropHandle;

use super::Bucket;

/// Bytes that are asked for at a time.
const PIECE: u64 = 2 * 1024 * 1024;

/// An upload that is read from some byte on. The piece after the one that was
/// given is fetched ahead.
#[derive(Debug)]
pub struct ObjectReader {
    bucket: Bucket,
    path: Path,
    /// Of the next byte to give.
    offset: u64,
    /// Bytes of the object, once that is known.
    size: Option<u64>,
    ahead: Option<AbortOnDropHandle<io::Result<Piece>>>,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// Bytes of the whole object.
    size: u64,
}

impl ObjectReader {
    pub(super) fn new(bucket: Bucket, path: Path, offset: u64) -> Self {
        Self {
            bucket,
            path,
            offset,
            size: None,
            ahead: None,
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the object is not there (`NotFound`), or the bucket does not
    /// answer. It may be called again, and goes on where it was.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_at_the_end() {
            return Ok(None);
        }
        let fetching = self.ahead.take().unwrap_or_else(|| self.fetch());
        let piece = fetching.await.map_err(io::Error::other)??;
        self.offset += piece.bytes.len() as u64;
        self.size = Some(piece.size);
        if piece.bytes.is_empty() {
            return Ok(None);
        }
        if !self.is_at_the_end() {
            self.ahead = Some(self.fetch());
        }
        Ok(Some(piece.bytes))
    }

    fn is_at_the_end(&self) -> bool {
        self.size.is_some_and(|size| self.offset >= size)
    }

    fn fetch(&self) -> AbortOnDropHandle<io::Result<Piece>> {
        let (bucket, path, offset) = (self.bucket.clone(), self.path.clone(), self.offset);
        AbortOnDropHandle::new(tokio::spawn(
            async move { piece(&bucket, &path, offset).await },
        ))
    }
}

async fn piece(bucket: &Bucket, path: &Path, offset: u64) -> io::Result<Piece> {
    let options = GetOptions::new().with_range(Some(offset..offset + PIECE));
    let got = async {
        let answer = bucket.0.store.get_opts(path, options).await?;
        let size = answer.meta.size;
        let bytes = answer.bytes().await?;
        Ok(Piece { bytes, size })
    };
    match got.await {
        Ok(piece) => Ok(piece),
        Err(error) if is_past_the_end(&error) => {
            let failed = |error| bucket.failed("read", path, &error);
            let there = bucket.0.store.head(path).await.map_err(failed)?;
            // Said of an object that has these bytes, it is a fault.
            if there.size > offset {
                return Err(failed(error));
            }
            let (bytes, size) = (Bytes::new(), there.size);
            Ok(Piece { bytes, size })
        }
        Err(error) => Err(bucket.failed("read", path, &error)),
    }
}

/// Whether there is an object, and not so many bytes of it: 416.
fn is_past_the_end(error: &object_store::Error) -> bool {
    let text = error.to_string();
    text.contains("<Code>InvalidRange</Code>") || text.contains("status code: 416")
}
