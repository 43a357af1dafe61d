//! The form of an upload (RFC 7578), read in bounded memory and time.
//!
//! What old clients and scripts send is taken as far as it is clear: lines
//! that end in LF, folded headers, any case and blanks where RFC 2045 and RFC
//! 2183 allow them. A form without its last boundary is not: it may be cut off.

use std::borrow::Cow;

use axum::body::{Body, BodyDataStream, Bytes};
use bytes::{Buf, BytesMut};
use encoding_rs::WINDOWS_1252;
use futures::StreamExt;
use memchr::memchr;
use memchr::memmem::{self, Finder};
use thiserror::Error;

use super::pace::{Pace, Slow};
use super::parameters::{main_value, parameter};

/// Most bytes of a part's head, or before the first part.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How much and how slowly a client may send.
#[derive(Clone, Debug)]
pub(super) struct FormLimits {
    /// Most bytes of the form.
    pub(super) bytes: u64,
    /// How fast the form has to come in.
    pub(super) pace: Pace,
}

/// The form cannot be read on.
#[derive(Debug, Error)]
pub(super) enum FormError {
    /// The request is something else, or does not say what it is.
    #[error(
        "the header Content-Type is not multipart/form-data; send the file as the field file of a form, and let the HTTP library write this header"
    )]
    NotForm,
    /// Nobody can tell where a part ends.
    #[error(
        "the header Content-Type has no boundary, or none that can be read; let the HTTP library write this header"
    )]
    NoBoundary,
    /// It has more bytes than are taken.
    #[error("the form is larger than this service takes")]
    TooLarge,
    /// The client sends nothing any more, or too little.
    #[error(transparent)]
    Slow(#[from] Slow),
    /// No part begins where one should.
    #[error("the form does not begin with the boundary that the header Content-Type names")]
    NoPart,
    /// A boundary has something behind it, or a head is none.
    #[error(
        "a part does not begin with its boundary and headers, each on a line, and an empty line, within {MAX_HEAD_BYTES} bytes"
    )]
    BadHead,
    /// The connection broke, or the framing of the body did.
    #[error("the body of the request is cut off: {0}")]
    CutOff(axum::Error),
    /// The body ended well, the form did not.
    #[error("the form is cut off: its last boundary, with -- behind it, is missing")]
    Unended,
    /// The file is not there as it is.
    #[error(
        "the file has a Content-Transfer-Encoding; send its bytes as they are, without this header (RFC 7578, section 4.7)"
    )]
    TransferEncoded,
}

/// A form that comes in.
#[derive(Debug)]
pub(super) struct Form {
    body: BodyDataStream,
    limits: FormLimits,
    /// Bytes that may still come.
    left: u64,
    /// What has come and was not given out yet.
    buffer: BytesMut,
    /// Finds a boundary, from the LF before it on.
    boundary: Finder<'static>,
    place: Place,
}

/// Where the buffer of a form begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first boundary.
    Preamble,
    /// At the LF of the line before the content of a part: a boundary may
    /// follow at once.
    Start,
    /// In the content of a part.
    Content,
    /// Behind a boundary.
    Boundary,
    /// Behind the last one.
    End,
}

/// A field of a form. What is not read of it is passed over.
#[derive(Debug)]
pub(super) struct FormField<'a> {
    form: &'a mut Form,
    /// Its headers, one a line.
    head: Vec<u8>,
}

impl Form {
    /// The form in a body with that `Content-Type`.
    pub(super) fn new(
        content_type: &[u8],
        body: Body,
        limits: FormLimits,
    ) -> Result<Self, FormError> {
        if !main_value(content_type).eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(FormError::NotForm);
        }
        let boundary = parameter(content_type, "boundary").filter(|value| !value.is_empty());
        let boundary = [b"\n--", &*boundary.ok_or(FormError::NoBoundary)?].concat();
        Ok(Self {
            body: body.into_data_stream(),
            left: limits.bytes,
            limits,
            buffer: BytesMut::new(),
            boundary: Finder::new(&boundary).into_owned(),
            place: Place::Preamble,
        })
    }

    /// The next field; `None` at the end of the form.
    pub(super) async fn next_field(&mut self) -> Result<Option<FormField<'_>>, FormError> {
        if self.place == Place::Preamble {
            self.preamble().await?;
        }
        while self.content().await?.is_some() {}
        if self.place == Place::End || self.is_last_boundary().await? {
            self.place = Place::End;
            return Ok(None);
        }
        let head = self.head().await?;
        self.place = Place::Start;
        Ok(Some(FormField { form: self, head }))
    }

    /// Passes over what stands before the first boundary. That need not begin
    /// a line: a BOM may be before it.
    async fn preamble(&mut self) -> Result<(), FormError> {
        loop {
            let boundary = &self.boundary.needle()[1..];
            if let Some(start) = memmem::find(&self.buffer, boundary) {
                self.buffer.advance(start + boundary.len());
                self.place = Place::Boundary;
                return Ok(());
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(FormError::NoPart);
            }
            self.fill().await?;
        }
    }

    /// The next piece before a boundary; `None` behind it.
    async fn content(&mut self) -> Result<Option<Bytes>, FormError> {
        while matches!(self.place, Place::Start | Place::Content) {
            let boundary = self.boundary.needle().len();
            let found = self.boundary.find(&self.buffer);
            // The end may be the start of a boundary and the CR before it.
            let length = found.unwrap_or(self.buffer.len().saturating_sub(boundary));
            let mut piece = self.buffer.split_to(length);
            if self.place == Place::Start && !piece.is_empty() {
                piece.advance(1);
                self.place = Place::Content;
            }
            if found.is_some() {
                self.buffer.advance(boundary);
                self.place = Place::Boundary;
                let cr = usize::from(piece.ends_with(b"\r"));
                piece.truncate(piece.len() - cr);
            }
            if !piece.is_empty() {
                return Ok(Some(piece.freeze()));
            }
            if found.is_none() {
                self.fill().await?;
            }
        }
        Ok(None)
    }

    /// Whether the boundary that was just found is the last one.
    async fn is_last_boundary(&mut self) -> Result<bool, FormError> {
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        Ok(self.buffer.starts_with(b"--"))
    }

    /// The rest of a boundary's line, and the headers of a part, unfolded.
    async fn head(&mut self) -> Result<Vec<u8>, FormError> {
        let mut room = MAX_HEAD_BYTES;
        if !self.line(&mut room).await?.trim_ascii().is_empty() {
            return Err(FormError::BadHead);
        }
        let mut head = Vec::new();
        loop {
            self.buffer.advance(1);
            let line = self.line(&mut room).await?;
            let line = line.trim_ascii_end();
            match line {
                [] => return Ok(head),
                [b' ' | b'\t', ..] if !head.is_empty() => {}
                _ if line.contains(&b':') => head.push(b'\n'),
                _ => return Err(FormError::BadHead),
            }
            head.extend_from_slice(line);
        }
    }

    /// A line up to its LF, which stays. `room` is what the head may still
    /// have.
    async fn line(&mut self, room: &mut usize) -> Result<BytesMut, FormError> {
        let mut searched = 0;
        loop {
            let found = memchr(b'\n', &self.buffer[searched..]);
            searched = found.map_or(self.buffer.len(), |end| searched + end);
            let left = room.checked_sub(searched).ok_or(FormError::BadHead)?;
            if found.is_some() {
                *room = left;
                return Ok(self.buffer.split_to(searched));
            }
            self.fill().await?;
        }
    }

    /// Waits for more of the body.
    async fn fill(&mut self) -> Result<(), FormError> {
        let piece = match self.limits.pace.wait_for(self.body.next()).await? {
            Some(piece) => piece.map_err(FormError::CutOff)?,
            None if self.place == Place::Preamble => return Err(FormError::NoPart),
            None => return Err(FormError::Unended),
        };
        self.limits.pace.came(piece.len());
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or(FormError::TooLarge)?;
        self.buffer.extend_from_slice(&piece);
        Ok(())
    }
}

impl FormField<'_> {
    /// Whether it has that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.disposition("name").as_deref() == Some(name.as_bytes())
    }

    /// The name of its file, as the client gave it.
    pub(super) fn file_name(&self) -> Option<String> {
        let name = self.disposition("filename")?;
        let name = str::from_utf8(&name).map_or_else(
            |_| WINDOWS_1252.decode_without_bom_handling(&name).0,
            Cow::Borrowed,
        );
        // How browsers write a quote.
        Some(name.replace("%22", "\""))
    }

    /// Refuses a field whose content came in another form than it has.
    /// Browsers and HTTP libraries send none.
    pub(super) fn check_transfer_encoding(&self) -> Result<(), FormError> {
        let encoding = self.header("content-transfer-encoding");
        let is_identity = encoding.is_none_or(|encoding| {
            let identities = ["7bit", "8bit", "binary"].map(str::as_bytes);
            identities.iter().any(|i| encoding.eq_ignore_ascii_case(i))
        });
        if is_identity {
            Ok(())
        } else {
            Err(FormError::TransferEncoded)
        }
    }

    /// The next piece of it; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, FormError> {
        self.form.content().await
    }

    fn disposition(&self, name: &str) -> Option<Vec<u8>> {
        parameter(self.header("content-disposition")?, name)
    }

    fn header(&self, wanted: &str) -> Option<&[u8]> {
        let mut headers = self.head.split(|byte| *byte == b'\n');
        headers.find_map(|header| {
            let colon = memchr(b':', header)?;
            let name = header[..colon].trim_ascii();
            let is_wanted = name.eq_ignore_ascii_case(wanted.as_bytes());
            is_wanted.then(|| header[colon + 1..].trim_ascii())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::stream;
    use proptest::prelude::*;

    use super::*;

    fn limits() -> FormLimits {
        FormLimits {
            bytes: 1 << 30,
            pace: Pace::new(Duration::from_secs(30)),
        }
    }

    fn form(body: Body) -> Form {
        Form::new(b"multipart/form-data; boundary=b", body, limits()).unwrap()
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
            let is_head = matches!(error, FormError::NoPart | FormError::BadHead);
            assert!(is_head, "{start:?}: {error}");
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

    /// A file's name, and its content.
    type Part = (Option<String>, Vec<u8>);

    /// The file name and the content of each field `f`, where the body comes in
    /// pieces of that many bytes.
    async fn files(body: &[u8], piece: usize) -> Result<Vec<Part>, FormError> {
        let pieces: Vec<_> = body.chunks(piece).map(Bytes::copy_from_slice).collect();
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let mut form = form(Body::from_stream(pieces));
        let mut files = Vec::new();
        while let Some(mut field) = form.next_field().await? {
            if !field.is("f") {
                continue;
            }
            field.check_transfer_encoding()?;
            let (name, mut content) = (field.file_name(), Vec::new());
            while let Some(piece) = field.chunk().await? {
                content.extend_from_slice(&piece);
            }
            files.push((name, content));
        }
        Ok(files)
    }

    /// The same for any size of the pieces.
    async fn all_files(body: &[u8]) -> Result<Vec<Part>, FormError> {
        let whole = files(body, body.len().max(1)).await;
        for piece in 1..body.len().min(40) {
            let pieces = files(body, piece).await;
            assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "{piece}");
        }
        whole
    }

    #[tokio::test]
    async fn a_form_is_read_as_any_client_writes_it() {
        const F: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"a.csv\"";
        let forms = [
            format!("--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
            // The end of a line, and what may follow the last.
            format!("--b\r\n{F}\r\n\r\ndata\r\n--b--"),
            format!("--b\r\n{F}\r\n\r\ndata\r\n--b-- \r\nepilogue\r\n--b\r\n"),
            format!("--b\n{F}\n\ndata\n--b--\n"),
            // Before the first boundary, and behind one.
            format!("\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
            format!("preamble\r\n--b \t\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
            format!("\u{feff}--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
            // Headers.
            format!(
                "--b\r\nX: y\r\n{}\r\n\r\ndata\r\n--b--",
                F.to_uppercase()
                    .replace("\"F\"", "\"f\"")
                    .replace("A.CSV", "a.csv")
            ),
            format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace(": ", " :\t")),
            format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace("; ", ";\r\n ")),
            format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace("; ", "\n\t; ")),
            format!("--b\r\n{F}\r\nContent-Transfer-Encoding:  8BIT \r\n\r\ndata\r\n--b--"),
            // Other fields: without a head or content, or in an encoding.
            format!("--b\r\n\r\nx\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
            format!("--b\r\nX: y\r\n\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
            format!("--b\r\nX: y\r\n\r\n\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
            format!(
                "--b\r\nX: y\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"
            ),
        ];
        let expected = [(Some("a.csv".to_owned()), b"data".to_vec())];
        for body in forms {
            let found = all_files(body.as_bytes()).await;
            assert_eq!(found.unwrap(), expected, "{body}");
        }
    }

    #[tokio::test]
    async fn content_is_what_stands_between_boundaries_to_the_byte() {
        for content in [
            "",
            "\r",
            "\n",
            "\r\n",
            "x--b",
            "a\r\n-",
            "\r\n--",
            "a\n--a\r\r",
            "\n\n",
        ] {
            let body = format!(
                "--b\r\ncontent-disposition: form-data; name=f\r\n\r\n{content}\r\n--b--\r\n"
            );
            let found = all_files(body.as_bytes()).await.unwrap();
            assert_eq!(found, [(None, content.as_bytes().to_vec())], "{content:?}");
        }
    }

    #[tokio::test]
    async fn a_file_name_is_read_in_any_encoding() {
        for (name, shown) in [
            (&b"d\xc3\xa9bitos.csv"[..], "débitos.csv"),
            (b"d\xe9bitos.csv", "débitos.csv"),
            (b"a%22b.csv", "a\"b.csv"),
            (b"a\\\"b.csv", "a\"b.csv"),
            (b"", ""),
        ] {
            let head = b"--b\r\ncontent-disposition: form-data; filename=\"";
            let body = [head, name, b"\"; name=\"f\"\r\n\r\ndata\r\n--b--"].concat();
            let found = files(&body, body.len()).await.unwrap();
            assert_eq!(found, [(Some(shown.to_owned()), b"data".to_vec())]);
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused_for_what_it_lacks() {
        let file = "--b\r\ncontent-disposition: form-data; name=f\r\n\r\ndata";
        let cases = [
            (String::new(), "does not begin with the boundary"),
            ("name,email\r\n".into(), "does not begin with the boundary"),
            ("-b\r\n".into(), "does not begin with the boundary"),
            (file.into(), "its last boundary"),
            (format!("{file}\r\n--b"), "its last boundary"),
            (format!("{file}\r\n--b-"), "its last boundary"),
            (format!("{file}--b--"), "its last boundary"),
            ("--b\r\nx: y\r\n".into(), "its last boundary"),
            ("--b x\r\nx: y\r\n\r\n".into(), "boundary and headers"),
            ("--bc\r\nx: y\r\n\r\n".into(), "boundary and headers"),
            ("--b\r\nname,email\r\n\r\n".into(), "boundary and headers"),
            ("--b\r\n x: y\r\n".into(), "its last boundary"),
        ];
        for (body, text) in cases {
            let error = all_files(body.as_bytes()).await.unwrap_err().to_string();
            assert!(error.contains(text), "{body:?}: {error}");
        }
        for encoding in ["base64", "Quoted-Printable", "x-uuencode", ""] {
            let header = format!("\r\ncontent-TRANSFER-encoding: {encoding}\r\n\r\n");
            let body = file.replace("\r\n\r\n", &header) + "\r\n--b--";
            let error = all_files(body.as_bytes()).await.unwrap_err().to_string();
            assert!(error.contains("Content-Transfer-Encoding"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_content_type_may_be_written_in_any_legal_way() {
        for content_type in [
            "multipart/form-data; boundary=b",
            "multipart/form-data;boundary=b",
            "Multipart/Form-Data; Boundary=b",
            "multipart/form-data; boundary=\"b\"",
            "multipart/form-data ;\tBOUNDARY = \"b\" ; charset=utf-8",
            "multipart/form-data; charset=utf-8; boundary=b",
            "multipart/form-data; charset=\"boundary=x\"; boundary=b;",
        ] {
            let body = "--b\r\ncontent-disposition: form-data; name=f\r\n\r\n\r\n--b--";
            let form = Form::new(content_type.as_bytes(), Body::from(body), limits());
            let mut form = form.unwrap_or_else(|e| panic!("{content_type}: {e}"));
            assert!(form.next_field().await.unwrap().unwrap().is("f"));
        }
        // What needs quotes, and often comes without.
        for boundary in ["----=_Part_1_2.3", "a:b/c,d?(e)", "a b"] {
            let content_type = format!("multipart/form-data; boundary={boundary}");
            let body = format!("--{boundary}--");
            let form = Form::new(content_type.as_bytes(), body.into(), limits());
            assert!(form.unwrap().next_field().await.unwrap().is_none());
        }
        for (content_type, text) in [
            ("", "is not multipart/form-data"),
            ("text/csv", "is not multipart/form-data"),
            ("multipart/mixed; boundary=b", "is not multipart/form-data"),
            ("boundary=b", "is not multipart/form-data"),
            ("multipart/form-data", "has no boundary"),
            ("multipart/form-data; boundary", "has no boundary"),
            ("multipart/form-data; boundary=", "has no boundary"),
            ("multipart/form-data; boundary=\"\"", "has no boundary"),
            ("multipart/form-data; xboundary=b", "has no boundary"),
        ] {
            let error = Form::new(content_type.as_bytes(), Body::empty(), limits());
            let error = error.unwrap_err().to_string();
            assert!(error.contains("the header Content-Type"), "{error}");
            assert!(error.contains(text), "{content_type}: {error}");
        }
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(body in "(--b|--|b|\r|\n|\r\n|x:y|content-disposition: x; name=f| )*") {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let _ = runtime.unwrap().block_on(all_files(body.as_bytes()));
        }
    }
}
