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
    #[error("the form is truncated: its final boundary, ending in --, is missing")]
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
mod tests;
