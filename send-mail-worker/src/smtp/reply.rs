//! What a server answers (RFC 5321, section 4.2), read as bytes: what people
//! write into it may be in any encoding, or be missing.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::failure::{Failure, Refusal};

/// Most bytes of an answer, all its lines together. RFC 5321, section
/// 4.5.3.1.5, asks for 512 a line.
const LONGEST: u64 = 64 * 1024;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Three digits; the first one is 2, 3, 4 or 5, and decides.
    pub(super) code: u16,
    /// The text of its lines, without their codes.
    pub(super) lines: Vec<String>,
}

/// The first digit of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 2: done.
    Done,
    /// 3: go on.
    GoOn,
    /// 4 or 5: no.
    No,
}

impl Reply {
    /// Reads the next answer, and nothing behind it.
    ///
    /// # Errors
    /// When the connection ends, or what comes is not an answer.
    pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, Failure> {
        let mut lines = Vec::new();
        let mut room = LONGEST;
        loop {
            let mut line = Vec::new();
            let mut rest = (&mut *stream).take(room);
            let read = rest.read_until(b'\n', &mut line).await;
            room -= read.map_err(Failure::from)? as u64;
            if !line.ends_with(b"\n") {
                return Err(if room == 0 {
                    not_smtp()
                } else {
                    Failure::closed()
                });
            }
            let (code, is_last, text) = parts(&line).ok_or_else(not_smtp)?;
            lines.push(decoded(text));
            if is_last {
                return Ok(Self { code, lines });
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.code / 100 {
            2 => Kind::Done,
            3 => Kind::GoOn,
            _ => Kind::No,
        }
    }
}

impl From<&Reply> for Refusal {
    fn from(reply: &Reply) -> Self {
        Self::new(reply.code, &reply.lines.join("\n"))
    }
}

fn not_smtp() -> Failure {
    Failure::Lost("the server did not speak SMTP".into())
}

/// Code, whether no line follows, and text of a line: three digits, then
/// nothing, a blank or a `-`.
fn parts(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.trim_ascii_end().split_at_checked(3)?;
    if !matches!(code[0], b'2'..=b'5') || !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |code: u16, digit: &u8| code * 10 + u16::from(digit - b'0');
    let code = code.iter().fold(0, number);
    match rest.split_first() {
        None => Some((code, true, rest)),
        Some((b' ' | b'\t', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

/// UTF-8, or else Latin-1, in which every byte is a letter.
fn decoded(text: &[u8]) -> String {
    match str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => text.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> (Result<Reply, Failure>, usize) {
        let reply = Reply::read(&mut bytes).await;
        (reply, bytes.len())
    }

    #[tokio::test]
    async fn whatever_the_rfc_allows_is_an_answer() {
        for (bytes, code, lines) in [
            (&b"250 2.0.0 Ok\r\n"[..], 250, &["2.0.0 Ok"][..]),
            (b"250\r\n", 250, &[""]),
            (b"250 \r\n", 250, &[""]),
            (b"250 bare\n", 250, &["bare"]),
            (b"250-\r\n250-two\r\n250\r\n", 250, &["", "two", ""]),
            (b"571 blocked\r\n", 571, &["blocked"]),
            (b"299 odd\r\n", 299, &["odd"]),
            (b"550 Usu\xe1rio\r\n", 550, &["Usuário"]),
            ("550 Usuário\r\n".as_bytes(), 550, &["Usuário"]),
            (b"334\r\n", 334, &[""]),
        ] {
            let (reply, left) = read(bytes).await;
            let reply = reply.unwrap();
            assert_eq!(reply.code, code);
            assert_eq!(reply.lines, lines);
            assert_eq!(left, 0);
        }
        let (reply, left) = read(b"220 go ahead\r\n250 injected\r\n").await;
        assert_eq!((reply.unwrap().code, left), (220, 14));
    }

    #[tokio::test]
    async fn whatever_is_no_answer_is_a_lost_connection() {
        let long = [b"250-".as_slice(), &vec![b'a'; 70_000]].concat();
        let many = b"250-a\r\n".repeat(20_000);
        for bytes in [
            &b""[..],
            b"250",
            b"250-ok\r\n",
            b"\r\n",
            b"25\r\n",
            b"150 no such class\r\n",
            b"650 no such class\r\n",
            b"2500 four\r\n",
            b"250_ok\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46\n",
            &long,
            &many,
        ] {
            let (reply, _) = read(bytes).await;
            assert!(matches!(reply, Err(Failure::Lost(_))), "{reply:?}");
        }
    }
}
