//! A part of a workbook, an XML file in its archive, read in bounds: whatever
//! the archive says of its size, and whatever calamine would make of it.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;
use zip::result::ZipError;

use super::WorkbookError;

/// Most bytes of a tag, of a text between two tags, or of whatever else is
/// held as one: of a cell, or a text that cells share. Excel has up to 32,767
/// characters in a cell.
const MAX_PIECE_BYTES: u64 = 1 << 20;

/// An archive in memory.
pub(super) type Archive<'f> = ZipArchive<Cursor<&'f [u8]>>;

/// Where a reader of a part stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Between two pieces.
    Next,
    /// In one that is held as one.
    Within,
    /// At the end of what is read.
    Stop,
}

/// Reads a part with at most that many bytes, event by event. False where the
/// archive has no such part.
pub(super) fn read_part(
    archive: &mut Archive<'_>,
    name: &str,
    most: u64,
    mut visit: impl FnMut(&Event<'_>) -> Result<Step, WorkbookError>,
) -> Result<bool, WorkbookError> {
    let part = match archive.by_name(name) {
        Ok(part) if part.encrypted() => return Err(WorkbookError::Encrypted),
        Ok(part) => part,
        Err(ZipError::FileNotFound) => return Ok(false),
        Err(_) => return Err(WorkbookError::Unreadable),
    };
    let bound = Rc::new(Cell::new(most.min(MAX_PIECE_BYTES)));
    let exceeded = Rc::new(Cell::new(false));
    let mut reader = Reader::from_reader(BufReader::new(Bounded {
        part,
        read: 0,
        bound: Rc::clone(&bound),
        exceeded: Rc::clone(&exceeded),
    }));
    // As calamine has it.
    let config = reader.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    config.expand_empty_elements = true;
    let mut event = Vec::new();
    loop {
        event.clear();
        let read = reader.read_event_into(&mut event).map_err(|_| {
            if exceeded.get() {
                let is_piece = bound.get() < most;
                WorkbookError::Unpacked(if is_piece {
                    "a cell or a tag has more than 1 MiB"
                } else {
                    "a part of it has more than is taken"
                })
            } else {
                WorkbookError::Unreadable
            }
        })?;
        let step = match &read {
            Event::Eof => return Ok(true),
            Event::DocType(_) => return Err(WorkbookError::DocumentType),
            read => visit(read)?,
        };
        match step {
            Step::Next => bound.set(most.min(reader.buffer_position() + MAX_PIECE_BYTES)),
            Step::Within => {}
            Step::Stop => return Ok(true),
        }
    }
}

/// The attributes of a tag, values as they stand there.
pub(super) fn attributes<'t>(
    tag: &'t BytesStart<'_>,
) -> impl Iterator<Item = Result<(&'t str, Cow<'t, str>), WorkbookError>> {
    tag.attributes().map(|attribute| {
        let attribute = attribute.map_err(|_| WorkbookError::Unreadable)?;
        Ok((attribute.key.into_inner(), attribute.value))
    })
}

/// A part that ends with an error where it has more than it may.
struct Bounded<R> {
    part: R,
    read: u64,
    bound: Rc<Cell<u64>>,
    exceeded: Rc<Cell<bool>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(to)?;
        self.read += read as u64;
        if read > 0 && self.read > self.bound.get() + to.len() as u64 {
            self.exceeded.set(true);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}
