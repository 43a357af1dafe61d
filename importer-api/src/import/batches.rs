use std::io::{self, ErrorKind};
use std::vec;

use common::messaging::Outgoing;
use common::runtime::TraceContext;
use contract::names::SNS_MAX_BYTES;
use contract::{InvalidReason, RowId, push_line, push_record};
use futures::{Stream, stream};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::csv::{Position, Row, RowBody, Rows};
use crate::spool::{FileReader, Manifest, Spool};

/// Most bytes of a message, and of a batch. SQS takes four times as many, but
/// a queue may be set to less, and a longer record could not be billed: SNS
/// does not take its notification. Ten messages of ordinary rows are 1 to 100 KB.
const BATCH_BYTES: usize = SNS_MAX_BYTES;
/// Most batches that are read in one go.
const GROUP_BATCHES: usize = 16;
/// Bytes of their messages after which it is enough.
const GROUP_BYTES: usize = 256 * 1024;

/// How rows are put into messages, and messages into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Most messages of a batch, from 1 on.
    pub messages: usize,
    /// Most rows of a message, from 1 on.
    pub rows_per_message: usize,
}

impl BatchSize {
    /// Most rows of a batch.
    fn rows(self) -> usize {
        self.messages.saturating_mul(self.rows_per_message)
    }

    /// Most bytes of a message with more than one row: as many of them as a
    /// batch may have fit into one call.
    fn message_bytes(self) -> usize {
        BATCH_BYTES / self.messages.max(1)
    }
}

/// Consecutive rows of a file, in one call.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be sent. The rows of a message are consecutive, and its
    /// attributes name the first of them.
    pub messages: Vec<Outgoing>,
    /// Rows that cannot be sent.
    pub invalid: Vec<(RowId, InvalidReason)>,
    /// Bytes of the messages.
    pub bytes: usize,
}

/// A batch, and the position behind it.
pub type BatchAt = (Batch, Position);

/// A batch in the making.
#[derive(Debug)]
struct Filling {
    import_id: Uuid,
    /// What its messages belong to.
    trace: Option<TraceContext>,
    size: BatchSize,
    batch: Batch,
    /// Rows in it, those that cannot be sent too.
    rows: usize,
    /// The last message, as long as the row behind it is the next.
    open: Option<Open>,
    /// The position behind the last row.
    behind: Position,
}

/// What is in the message that takes further rows.
#[derive(Debug)]
struct Open {
    rows: usize,
    bytes: usize,
}

impl Filling {
    fn new(import_id: Uuid, trace: Option<TraceContext>, size: BatchSize, from: Position) -> Self {
        Self {
            import_id,
            trace,
            size,
            batch: Batch::default(),
            rows: 0,
            open: None,
            behind: from,
        }
    }

    /// Adds a row, with the position behind it. Gives the batch before, where
    /// that has no room for it.
    fn add(&mut self, row: Row, behind: Position) -> Option<BatchAt> {
        let id = RowId {
            import_id: self.import_id,
            row: row.number,
        };
        let mut full = (self.rows >= self.size.rows()).then(|| self.take());
        match row.body {
            RowBody::Invalid(reason) => self.refuse(id, reason),
            RowBody::Message(record) => {
                if !self.join(&record, row.columns.as_deref()) {
                    full = full.or(self.begin(id, record, row.columns));
                }
            }
        }
        self.rows += 1;
        self.behind = behind;
        full
    }

    /// The batch so far; the next one is empty.
    fn take(&mut self) -> BatchAt {
        self.rows = 0;
        self.open = None;
        (std::mem::take(&mut self.batch), self.behind)
    }

    /// Adds a record to the last message, if that has room for it.
    fn join(&mut self, record: &str, columns: Option<&str>) -> bool {
        let (Some(open), Some(message)) = (&mut self.open, self.batch.messages.last_mut()) else {
            return false;
        };
        let more = 1 + record.len() + columns.map_or(0, |line| 1 + line.len());
        let has_room = open.rows < self.size.rows_per_message
            && open.bytes + more <= self.size.message_bytes()
            && self.batch.bytes + more <= BATCH_BYTES;
        if has_room {
            push_record(&mut message.body, record);
            // All rows of a file have a line, or none has.
            if let (Some(lines), Some(line)) = (&mut message.columns, columns) {
                push_line(lines, line);
            }
            open.rows += 1;
            open.bytes += more;
            self.batch.bytes += more;
        }
        has_room
    }

    /// Begins a message. Gives the batch before, where that has no room for it.
    fn begin(&mut self, row: RowId, body: String, columns: Option<String>) -> Option<BatchAt> {
        let message = Outgoing {
            body,
            row: Some(row),
            columns,
            event_type: None,
            trace: self.trace.clone(),
        };
        let bytes = message.size();
        if bytes > BATCH_BYTES {
            self.refuse(row, InvalidReason::TooLarge);
            return None;
        }
        let is_full = self.batch.messages.len() >= self.size.messages
            || self.batch.bytes + bytes > BATCH_BYTES;
        let full = (is_full && self.rows > 0).then(|| self.take());
        self.batch.messages.push(message);
        self.batch.bytes += bytes;
        self.open = Some(Open { rows: 1, bytes });
        full
    }

    /// A row that cannot be sent. The next one begins a message, as the rows
    /// of a message are consecutive.
    fn refuse(&mut self, row: RowId, reason: InvalidReason) {
        self.batch.invalid.push((row, reason));
        self.open = None;
    }
}

/// The batches of a file, from a position on. They are read some at a time,
/// one group ahead of who takes them, and a thread is used only while a group
/// is read.
#[derive(Debug)]
pub struct Batches {
    group: vec::IntoIter<BatchAt>,
    /// The next group, and who reads on; `None` at the end of the file.
    ahead: Option<JoinHandle<io::Result<Group>>>,
}

/// Batches that were read in one go, and who reads on where there is more.
type Group = (Vec<BatchAt>, Option<Reader>);

impl Batches {
    /// Begins to read.
    pub fn read(spool: Spool, manifest: Manifest, from: Position, size: BatchSize) -> Self {
        let open = async move {
            let file = spool.read(manifest.import_id, from.offset).await?;
            Reader::new(file, manifest, from, size).group().await
        };
        Self {
            group: Vec::new().into_iter(),
            ahead: Some(tokio::spawn(open)),
        }
    }

    /// Begins to read a file that is open at that position.
    pub fn of(file: FileReader, manifest: Manifest, from: Position, size: BatchSize) -> Self {
        let reader = Reader::new(file, manifest, from, size);
        Self {
            group: Vec::new().into_iter(),
            ahead: Some(tokio::spawn(reader.group())),
        }
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read; there is no further batch then.
    pub async fn next(&mut self) -> io::Result<Option<BatchAt>> {
        loop {
            if let Some(batch) = self.group.next() {
                return Ok(Some(batch));
            }
            let Some(ahead) = &mut self.ahead else {
                return Ok(None);
            };
            let read = ahead.await;
            self.ahead = None;
            let (group, reader) = read.map_err(io::Error::other)??;
            self.group = group.into_iter();
            self.ahead = reader.map(|reader| tokio::spawn(reader.group()));
        }
    }

    /// Them as a stream, which ends with the first error.
    pub(crate) fn stream(self) -> impl Stream<Item = io::Result<BatchAt>> + Send {
        stream::try_unfold(self, async |mut batches| {
            let batch = batches.next().await?;
            Ok(batch.map(|batch| (batch, batches)))
        })
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        if let Some(ahead) = &self.ahead {
            ahead.abort();
        }
    }
}

/// Reads a file into batches.
#[derive(Debug)]
struct Reader {
    rows: Rows<FileReader>,
    filling: Filling,
}

impl Reader {
    fn new(file: FileReader, manifest: Manifest, from: Position, size: BatchSize) -> Self {
        Self {
            rows: Rows::new(file, manifest.layout, from),
            filling: Filling::new(manifest.import_id, manifest.trace, size, from),
        }
    }

    /// The next batches.
    async fn group(mut self) -> io::Result<Group> {
        loop {
            let (group, reader) = blocking(move || self.read()).await?;
            match reader {
                // All that is here of the file makes no batch.
                Some(reader) if group.is_empty() => self = reader,
                reader => return Ok((group, reader)),
            }
            self.rows.file().fetch().await?;
        }
    }

    /// Reads batches of what is here of the file.
    fn read(mut self) -> io::Result<Group> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            let row = match self.rows.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    if self.filling.rows > 0 {
                        group.push(self.filling.take());
                    }
                    return Ok((group, None));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            if let Some(full) = self.filling.add(row, self.rows.position()) {
                bytes += full.0.bytes;
                group.push(full);
            }
        }
        Ok((group, Some(self)))
    }
}

#[cfg(test)]
mod tests;
