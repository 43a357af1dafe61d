use std::io;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio_util::codec::{Decoder, Encoder};

/// Longest command line; RFC 5321 asks for 512, and AUTH needs more.
const LONGEST_LINE: usize = 16 * 1024;

/// Largest message.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line, without its end.
    Line(String),
    /// A message, as it was before the client doubled dots at the start of lines.
    Message(Bytes),
}

/// Lines, and a message where one is expected.
#[derive(Debug, Default)]
pub(super) struct SmtpCodec {
    in_message: bool,
    /// How far the message was looked at.
    seen: usize,
}

impl SmtpCodec {
    /// What comes next is a message.
    pub(super) fn expect_message(&mut self) {
        self.in_message = true;
        self.seen = 0;
    }

    fn line(buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        let Some(end) = memmem::find(buffer, b"\r\n") else {
            return too_long(buffer.len() > LONGEST_LINE);
        };
        let line = buffer.split_to(end + 2);
        Ok(Some(Frame::Line(
            String::from_utf8_lossy(&line[..end]).into_owned(),
        )))
    }

    fn message(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        const END: &[u8] = b"\r\n.\r\n";
        if buffer.starts_with(b".\r\n") {
            let _ = buffer.split_to(3);
            return Ok(Some(self.taken(Bytes::new())));
        }
        // The end may lie across what was there and what has come.
        let from = self.seen.saturating_sub(END.len() - 1);
        let Some(end) = memmem::find(&buffer[from..], END) else {
            self.seen = buffer.len();
            return too_long(buffer.len() > LARGEST_MESSAGE);
        };
        let message = buffer.split_to(from + end + 2).freeze();
        let _ = buffer.split_to(END.len() - 2);
        Ok(Some(self.taken(without_doubled_dots(message))))
    }

    fn taken(&mut self, message: Bytes) -> Frame {
        self.in_message = false;
        Frame::Message(message)
    }
}

impl Decoder for SmtpCodec {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        if self.in_message {
            self.message(buffer)
        } else {
            Self::line(buffer)
        }
    }
}

/// An answer of one line or several.
impl Encoder<&str> for SmtpCodec {
    type Error = io::Error;

    fn encode(&mut self, answer: &str, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(answer.as_bytes());
        buffer.extend_from_slice(b"\r\n");
        Ok(())
    }
}

fn too_long(is: bool) -> io::Result<Option<Frame>> {
    if is {
        Err(io::Error::other("more than any client needs"))
    } else {
        Ok(None)
    }
}

/// Undoes what RFC 5321, section 4.5.2, asks of clients.
fn without_doubled_dots(message: Bytes) -> Bytes {
    let first = message.starts_with(b".").then_some(0);
    let others = memmem::find_iter(&message, b"\r\n.").map(|at| at + 2);
    let mut dots = first.into_iter().chain(others).peekable();
    if dots.peek().is_none() {
        drop(dots);
        return message;
    }
    let mut single = Vec::with_capacity(message.len());
    let mut from = 0;
    for dot in dots {
        single.extend_from_slice(&message[from..dot]);
        from = dot + 1;
    }
    single.extend_from_slice(&message[from..]);
    single.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_however_it_comes_in() {
        let sent = b"..\r\na\r\n...b\r\n.c\r\n\r\n.\r\nQUIT\r\n";
        for size in 1..sent.len() {
            let (mut codec, mut buffer) = (SmtpCodec::default(), BytesMut::new());
            codec.expect_message();
            let mut frames = Vec::new();
            for part in sent.chunks(size) {
                buffer.extend_from_slice(part);
                while let Some(frame) = codec.decode(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            let message = Frame::Message(Bytes::from_static(b".\r\na\r\n..b\r\nc\r\n\r\n"));
            assert_eq!(frames, [message, Frame::Line("QUIT".into())], "{size}");
        }
    }

    #[test]
    fn an_empty_message_is_one() {
        let (mut codec, mut buffer) = (SmtpCodec::default(), BytesMut::from(&b".\r\n"[..]));
        codec.expect_message();
        let frame = codec.decode(&mut buffer).unwrap();
        assert_eq!(frame, Some(Frame::Message(Bytes::new())));
    }
}
