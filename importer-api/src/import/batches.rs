use std::io::{self, BufReader, Seek, SeekFrom};

use common::contract::names::MAX_BATCH_BYTES;
use common::contract::{InvalidReason, RowId};
use common::messaging::Outgoing;
use tokio::sync::mpsc;

use crate::csv::{Position, RowBody, Rows};
use crate::spool::{Manifest, Spool};

/// Bytes read from the file at a time.
const READ_BYTES: usize = 256 * 1024;
/// Batches read ahead of sending.
const BATCHES_AHEAD: usize = 8;

/// Consecutive rows of a file.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be sent.
    pub messages: Vec<Outgoing>,
    /// Rows that cannot be sent.
    pub invalid: Vec<(RowId, InvalidReason)>,
    /// Bytes of the messages.
    pub bytes: usize,
}

/// A batch, and the position behind it.
pub type BatchAt = (Batch, Position);

impl Batch {
    fn push(&mut self, row: RowId, body: RowBody) {
        let reason = match body {
            RowBody::Invalid(reason) => reason,
            RowBody::Message(body) => {
                let message = Outgoing {
                    body,
                    row: Some(row),
                    event_type: None,
                };
                let size = message.size();
                if size <= MAX_BATCH_BYTES {
                    self.bytes += size;
                    self.messages.push(message);
                    return;
                }
                InvalidReason::TooLarge
            }
        };
        self.invalid.push((row, reason));
    }

    fn is_full(&self, most: usize) -> bool {
        self.messages.len() + self.invalid.len() >= most || self.bytes >= MAX_BATCH_BYTES
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.invalid.is_empty()
    }
}

/// Reads a file on a thread of its own, from a position on, into batches of
/// up to `most` rows; a few ahead of who takes them. It ends when they are
/// not taken any more.
pub fn read_batches(
    spool: Spool,
    manifest: Manifest,
    from: Position,
    most: usize,
) -> mpsc::Receiver<io::Result<BatchAt>> {
    let (batches, taken) = mpsc::channel(BATCHES_AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(&spool, &manifest, from, most, &batches) {
            // Nobody is there to tell when they are not taken any more.
            let _ = batches.blocking_send(Err(error));
        }
    });
    taken
}

fn read(
    spool: &Spool,
    manifest: &Manifest,
    from: Position,
    most: usize,
    batches: &mpsc::Sender<io::Result<BatchAt>>,
) -> io::Result<()> {
    let mut file = spool.open_csv(manifest.import_id)?;
    file.seek(SeekFrom::Start(from.offset))?;
    let file = BufReader::with_capacity(READ_BYTES, file);
    let mut rows = Rows::new(file, manifest.layout.clone(), from);
    let mut batch = Batch::default();
    while let Some(row) = rows.next_row()? {
        let id = RowId {
            import_id: manifest.import_id,
            row: row.number,
        };
        batch.push(id, row.body);
        if batch.is_full(most) {
            let full = std::mem::take(&mut batch);
            if batches.blocking_send(Ok((full, rows.position()))).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = batches.blocking_send(Ok((batch, rows.position())));
    }
    Ok(())
}
