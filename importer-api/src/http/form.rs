//! The form of an upload, read in bounded memory and time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::{FutureExt, Stream, StreamExt};
use multer::{Field, Multipart};
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep};

/// Most bytes of a part's head, or before the first part. The parser keeps
/// them all until it finds the end.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How much and how slowly a client may send.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormLimits {
    /// Most bytes of the form.
    pub(super) bytes: u64,
    /// Longest wait for the client to send something.
    pub(super) idle: Duration,
}

/// The form cannot be read on.
#[derive(Debug, Error)]
pub(super) enum FormError {
    /// It has more bytes than are taken.
    #[error("the form is larger than this service takes")]
    TooLarge,
    /// The client sends nothing any more.
    #[error("nothing more of the form came in for {0:?}")]
    Idle(Duration),
    /// No part begins where one should.
    #[error(
        "the first {MAX_HEAD_BYTES} bytes of a part do not end its head; is the boundary that of the header Content-Type?"
    )]
    NoPart,
    /// The connection broke, or the framing of the body did.
    #[error("the body of the request is cut off: {0}")]
    CutOff(axum::Error),
    /// It is not what `multipart/form-data` should be.
    #[error("{0}")]
    Malformed(multer::Error),
}

impl From<multer::Error> for FormError {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::StreamReadFailed(cause) => match cause.downcast() {
                Ok(own) => *own,
                Err(cause) => Self::Malformed(multer::Error::StreamReadFailed(cause)),
            },
            error => Self::Malformed(error),
        }
    }
}

/// A form that comes in.
#[derive(Debug)]
pub(super) struct Form {
    parts: Multipart<'static>,
    unparsed: Arc<AtomicUsize>,
}

/// A field of a form. It is to be read to its end before the next one.
#[derive(Debug)]
pub(super) struct FormField<'a> {
    field: Field<'static>,
    form: &'a Form,
}

impl Form {
    /// The form in a body with that `Content-Type`.
    pub(super) fn new(
        content_type: &str,
        body: Body,
        limits: FormLimits,
    ) -> Result<Self, FormError> {
        let boundary = multer::parse_boundary(content_type)?;
        let unparsed = Arc::new(AtomicUsize::new(0));
        let source = Source {
            body: body.into_data_stream(),
            limits,
            left: limits.bytes,
            idle: Box::pin(sleep(limits.idle)),
            gave: false,
            unparsed: Arc::clone(&unparsed),
        };
        let parts = Multipart::new(source, boundary);
        Ok(Self { parts, unparsed })
    }

    /// The next field; `None` at the end of the form.
    pub(super) async fn next_field(&mut self) -> Result<Option<FormField<'_>>, FormError> {
        self.unparsed.store(0, Ordering::Relaxed);
        let field = self.parts.next_field().await?;
        Ok(field.map(|field| FormField { field, form: self }))
    }
}

impl FormField<'_> {
    /// Its name.
    pub(super) fn name(&self) -> Option<&str> {
        self.field.name()
    }

    /// The name of its file, as the client gave it.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// The next piece of it; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, FormError> {
        self.form.unparsed.store(0, Ordering::Relaxed);
        Ok(self.field.chunk().await?)
    }
}

/// A body on its way to the parser, which by itself would read without limit.
struct Source {
    body: BodyDataStream,
    limits: FormLimits,
    /// Bytes that may still come.
    left: u64,
    /// Ends when the client has sent nothing for too long.
    idle: Pin<Box<Sleep>>,
    /// The parser has a piece that it did not look at yet.
    gave: bool,
    /// Bytes given to the parser since something came out of it.
    unparsed: Arc<AtomicUsize>,
}

impl Stream for Source {
    type Item = Result<Bytes, FormError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The parser reads for as long as there is something to read, and
        // keeps it. So it gets one piece at a time.
        if std::mem::take(&mut self.gave) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.unparsed.load(Ordering::Relaxed) > MAX_HEAD_BYTES {
            return Poll::Ready(Some(Err(FormError::NoPart)));
        }
        let piece = match self.body.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(piece))) => piece,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(FormError::CutOff(error))));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                let limit = self.limits.idle;
                let is_idle = self.idle.poll_unpin(context);
                return is_idle.map(|()| Some(Err(FormError::Idle(limit))));
            }
        };
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            return Poll::Ready(Some(Err(FormError::TooLarge)));
        };
        self.left = left;
        self.gave = true;
        self.unparsed.fetch_add(piece.len(), Ordering::Relaxed);
        let next_deadline = Instant::now() + self.limits.idle;
        self.idle.as_mut().reset(next_deadline);
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const LIMITS: FormLimits = FormLimits {
        bytes: 1 << 30,
        idle: Duration::from_secs(30),
    };

    fn form(body: Body) -> Form {
        Form::new("multipart/form-data; boundary=b", body, LIMITS).unwrap()
    }

    /// A body that never ends, and the number of bytes that were taken of it.
    fn endless(start: &'static str) -> (Body, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let rest = stream::repeat_with(move || {
            counter.fetch_add(8 * 1024, Ordering::Relaxed);
            Bytes::from(vec![b'x'; 8 * 1024])
        });
        let pieces = stream::iter([Bytes::from_static(start.as_bytes())]).chain(rest);
        let body = Body::from_stream(pieces.map(Ok::<_, std::io::Error>));
        (body, taken)
    }

    #[tokio::test]
    async fn what_is_no_part_is_given_up_before_it_fills_the_memory() {
        for start in [
            "",
            "--b\r\n",
            "--b\r\ncontent-disposition: form-data; name=\"",
        ] {
            let (body, taken) = endless(start);
            let error = form(body).next_field().await.unwrap_err();
            assert!(matches!(error, FormError::NoPart), "{start:?}: {error}");
            assert!(taken.load(Ordering::Relaxed) <= MAX_HEAD_BYTES + 8 * 1024);
        }
    }

    #[tokio::test]
    async fn a_file_comes_piece_by_piece_however_fast_it_is_sent() {
        let (body, taken) = endless("--b\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n");
        let mut form = form(body);
        let mut field = form.next_field().await.unwrap().unwrap();
        let mut got = 0;
        while got < 1 << 20 {
            got += field.chunk().await.unwrap().unwrap().len();
            assert!(taken.load(Ordering::Relaxed) <= got + 16 * 1024);
        }
    }
}
