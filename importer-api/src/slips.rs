//! The slips of an import as one ZIP archive, which is written as it is taken.

use std::io::{self, Write};

use boleto::Agreement;
use contract::Notification;
use jiff::civil::Date;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Rows that an archive is made of at most: more files need ZIP64, which some
/// programs do not read, and each takes 300 bytes of memory until the end.
pub const MOST_ROWS: u64 = 50_000;

/// Level of Deflate. A slip is half as long with it, and a tenth shorter at most
/// with a higher one, which takes several times as long.
const LEVEL: i64 = 1;

/// An archive in the making. What is written to is never sought in.
#[derive(Debug)]
pub struct SlipArchive<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
}

impl<W: Write> SlipArchive<W> {
    /// Writes it there.
    pub fn new(to: W) -> Self {
        Self {
            zip: ZipWriter::new_stream(to),
        }
    }

    /// Adds the slip of the boleto of a row. Its name begins with the number of
    /// the row, so that all stand in the order of the file.
    ///
    /// # Errors
    /// When it cannot be written, or the notification has no boleto that was
    /// issued under the agreement.
    pub fn add(
        &mut self,
        row: u64,
        notification: &Notification,
        agreement: &Agreement,
    ) -> io::Result<()> {
        let boleto = notification.boleto.as_ref();
        let slip = slip::pdf_of(notification, agreement);
        let (Some(boleto), Some(slip)) = (boleto, slip) else {
            return Err(io::Error::other(format!(
                "row {row} has no boleto of the agreement that is known for it"
            )));
        };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(midnight_of(boleto.issued_on));
        let name = format!("{row:07}-{}", slip::file_name(boleto));
        self.zip.start_file(name, options)?;
        self.zip.write_all(&slip)
    }

    /// Writes the end, without which no program reads it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let mut written = self.zip.finish()?;
        written.flush()
    }
}

/// A day that ZIP cannot tell is its first.
fn midnight_of(day: Date) -> DateTime {
    let part = |part: i8| u8::try_from(part).unwrap_or_default();
    let year = u16::try_from(day.year()).unwrap_or_default();
    DateTime::from_date_and_time(year, part(day.month()), part(day.day()), 0, 0, 0)
        .unwrap_or_default()
}
