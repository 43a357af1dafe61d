use std::fs::File;
use std::io::{self, ErrorKind, Read};

use bytes::{Buf, Bytes};

use super::bucket::ObjectReader;

/// The file of an import. A local one is read as any file. Of an object the
/// pieces are fetched beside the reading: where the next one is not here yet,
/// [`Read`] says [`ErrorKind::WouldBlock`], and [`FileReader::fetch`] gets it,
/// so that nobody waits for the network on a thread.
#[derive(Debug)]
pub struct FileReader(Source);

#[derive(Debug)]
enum Source {
    File(File),
    Object {
        pieces: ObjectReader,
        /// What is left of the last piece; `None` behind the last one.
        piece: Option<Bytes>,
    },
}

impl FileReader {
    pub(super) fn of_file(file: File) -> Self {
        Self(Source::File(file))
    }

    /// The first piece is fetched already.
    pub(super) async fn of_object(mut pieces: ObjectReader) -> io::Result<Self> {
        let piece = pieces.next().await?;
        Ok(Self(Source::Object { pieces, piece }))
    }

    /// Fetches the next piece, where there is nothing left of the last one.
    pub async fn fetch(&mut self) -> io::Result<()> {
        if let Source::Object { pieces, piece } = &mut self.0
            && piece.as_ref().is_some_and(Bytes::is_empty)
        {
            *piece = pieces.next().await?;
        }
        Ok(())
    }
}

impl Read for FileReader {
    fn read(&mut self, text: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::File(file) => file.read(text),
            Source::Object { piece: None, .. } => Ok(0),
            Source::Object {
                piece: Some(piece), ..
            } => {
                if piece.is_empty() {
                    return Err(ErrorKind::WouldBlock.into());
                }
                let count = piece.len().min(text.len());
                piece.copy_to_slice(&mut text[..count]);
                Ok(count)
            }
        }
    }
}
