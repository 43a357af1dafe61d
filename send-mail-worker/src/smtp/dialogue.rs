//! A dialogue with a server: one command, one answer.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout};

use super::failure::{Failure, Refusal};
use super::reply::{Kind, Reply};

/// A message is written in blocks of that many bytes, and each may take as
/// long as an answer.
const BLOCK: usize = 64 * 1024;

/// What commands and answers go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Commands go out, and answers come in.
pub(super) struct Dialogue {
    stream: BufReader<Box<dyn Stream>>,
    /// Every command so far was answered, so that the next answer belongs to
    /// the next command.
    in_step: bool,
    /// When the server answered last.
    heard: Instant,
}

impl Dialogue {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream: BufReader::new(stream),
            in_step: true,
            heard: Instant::now(),
        }
    }

    /// The stream, unless the server said more than it was asked: what came in
    /// the clear must not be read as said within TLS.
    pub(super) fn into_stream(self) -> Option<Box<dyn Stream>> {
        self.stream
            .buffer()
            .is_empty()
            .then(|| self.stream.into_inner())
    }

    /// When the server answered last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Whether another command can be said.
    pub(super) fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// Hears the greeting.
    pub(super) async fn greeting(&mut self, limit: Duration) -> Result<(), Failure> {
        let reply = self.answer(limit).await?;
        self.of_kind(reply, Kind::Done).map(drop)
    }

    /// Says a command that is done with when it is answered.
    pub(super) async fn command(&mut self, line: &str, limit: Duration) -> Result<Reply, Failure> {
        let reply = self.ask(line, limit).await?;
        self.of_kind(reply, Kind::Done)
    }

    /// Says one that the server wants to hear more of.
    pub(super) async fn begin(&mut self, line: &str, limit: Duration) -> Result<(), Failure> {
        let reply = self.ask(line, limit).await?;
        self.of_kind(reply, Kind::GoOn).map(drop)
    }

    /// Says a command; an answer that is no refusal is given back.
    pub(super) async fn ask(&mut self, line: &str, limit: Duration) -> Result<Reply, Failure> {
        self.in_step = false;
        let line = format!("{line}\r\n");
        self.write(line.as_bytes(), limit).await?;
        self.answer(limit).await
    }

    /// Sends the content of a message, but not its end: where that fails, the
    /// server has nothing.
    pub(super) async fn content(&mut self, message: &[u8], limit: Duration) -> Result<(), Failure> {
        self.in_step = false;
        for block in stuffed(message).chunks(BLOCK) {
            self.write(block, limit).await?;
        }
        // From here on nobody can know what the server has.
        self.write(b".\r\n", limit).await
    }

    /// Hears what the server says to the end of a message.
    pub(super) async fn end(&mut self, limit: Duration) -> Result<(), Failure> {
        let reply = self.answer(limit).await?;
        self.of_kind(reply, Kind::Done).map(drop)
    }

    /// Says a last word, where it can be said, and waits for nothing.
    pub(super) fn quit(&mut self) {
        if self.in_step {
            let _ = self.stream.write_all(b"QUIT\r\n").now_or_never();
            let _ = self.stream.flush().now_or_never();
        }
    }

    async fn write(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Failure> {
        let stream = &mut self.stream;
        let writing = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        within(limit, async { writing.await.map_err(Failure::from) }).await
    }

    async fn answer(&mut self, limit: Duration) -> Result<Reply, Failure> {
        let reply = within(limit, Reply::read(&mut self.stream)).await?;
        self.heard = Instant::now();
        if reply.kind() == Kind::No {
            let refusal = Refusal::from(&reply);
            self.in_step = !refusal.closes();
            return Err(Failure::Refused(refusal));
        }
        self.in_step = true;
        Ok(reply)
    }

    /// An answer of another kind than the command can have belongs to another
    /// command.
    fn of_kind(&mut self, reply: Reply, kind: Kind) -> Result<Reply, Failure> {
        self.in_step = reply.kind() == kind;
        if self.in_step {
            return Ok(reply);
        }
        Err(Failure::Lost("the server is out of step".into()))
    }
}

async fn within<T>(
    limit: Duration,
    waiting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let waited = timeout(limit, waiting).await;
    waited.unwrap_or(Err(Failure::Late(limit)))
}

/// A message as it follows DATA: whole lines, and a dot more where one begins
/// with a dot (RFC 5321, section 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 16);
    if message.starts_with(b".") {
        stuffed.push(b'.');
    }
    let mut from = 0;
    for at in memmem::find_iter(message, b"\n.") {
        stuffed.extend_from_slice(&message[from..=at]);
        stuffed.push(b'.');
        from = at + 1;
    }
    stuffed.extend_from_slice(&message[from..]);
    if !message.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}
