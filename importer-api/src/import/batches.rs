use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::vec;

use common::messaging::Outgoing;
use contract::names::MAX_BATCH_BYTES;
use contract::{InvalidReason, RowId, push_record};
use futures::{Stream, stream};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use crate::csv::{Position, Row, RowBody, Rows};
use crate::spool::{Manifest, Spool};

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
        MAX_BATCH_BYTES / self.messages.max(1)
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
    fn new(import_id: Uuid, size: BatchSize, from: Position) -> Self {
        Self {
            import_id,
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
                if !self.join(&record) {
                    full = full.or(self.begin(id, record));
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
    fn join(&mut self, record: &str) -> bool {
        let (Some(open), Some(message)) = (&mut self.open, self.batch.messages.last_mut()) else {
            return false;
        };
        let more = 1 + record.len();
        let has_room = open.rows < self.size.rows_per_message
            && open.bytes + more <= self.size.message_bytes()
            && self.batch.bytes + more <= MAX_BATCH_BYTES;
        if has_room {
            push_record(&mut message.body, record);
            open.rows += 1;
            open.bytes += more;
            self.batch.bytes += more;
        }
        has_room
    }

    /// Begins a message. Gives the batch before, where that has no room for it.
    fn begin(&mut self, row: RowId, body: String) -> Option<BatchAt> {
        let message = Outgoing {
            body,
            row: Some(row),
            event_type: None,
        };
        let bytes = message.size();
        if bytes > MAX_BATCH_BYTES {
            self.refuse(row, InvalidReason::TooLarge);
            return None;
        }
        let is_full = self.batch.messages.len() >= self.size.messages
            || self.batch.bytes + bytes > MAX_BATCH_BYTES;
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
        let open = move || Reader::open(&spool, manifest, from, size)?.group();
        Self {
            group: Vec::new().into_iter(),
            ahead: Some(spawn_blocking(open)),
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
            self.ahead = reader.map(|reader| spawn_blocking(move || reader.group()));
        }
    }

    /// Them as a stream, which ends with the first error.
    pub(super) fn stream(self) -> impl Stream<Item = io::Result<BatchAt>> + Send {
        stream::try_unfold(self, async |mut batches| {
            let batch = batches.next().await?;
            Ok(batch.map(|batch| (batch, batches)))
        })
    }
}

/// Reads a file into batches.
#[derive(Debug)]
struct Reader {
    rows: Rows<File>,
    filling: Filling,
}

impl Reader {
    fn open(
        spool: &Spool,
        manifest: Manifest,
        from: Position,
        size: BatchSize,
    ) -> io::Result<Self> {
        let mut file = spool.open_csv(manifest.import_id)?;
        file.seek(SeekFrom::Start(from.offset))?;
        Ok(Self {
            rows: Rows::new(file, manifest.layout, from),
            filling: Filling::new(manifest.import_id, size, from),
        })
    }

    /// Reads the next batches.
    fn group(mut self) -> io::Result<Group> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            let Some(row) = self.rows.next_row()? else {
                if self.filling.rows > 0 {
                    group.push(self.filling.take());
                }
                return Ok((group, None));
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
mod tests {
    use contract::{names::MAX_BATCH_ENTRIES, split_records};
    use proptest::prelude::*;
    use testkit::CsvFile;

    use super::*;
    use crate::csv::Survey;
    use crate::spool::Received;

    const IMPORT: Uuid = Uuid::from_u128(7);
    const START: Position = Position { offset: 0, rows: 0 };

    /// All batches of a file with these records.
    fn batches(bodies: Vec<RowBody>, size: BatchSize) -> Vec<BatchAt> {
        let mut filling = Filling::new(IMPORT, size, START);
        let mut batches = Vec::new();
        for (number, body) in (1..).zip(bodies) {
            let behind = Position {
                offset: number * 10,
                rows: number,
            };
            batches.extend(filling.add(Row { number, body }, behind));
        }
        if filling.rows > 0 {
            batches.push(filling.take());
        }
        batches
    }

    fn record(text: &str) -> RowBody {
        RowBody::Message(text.to_owned())
    }

    /// First row and number of rows of each message.
    fn shape(batch: &Batch) -> Vec<(u64, usize)> {
        let shape = |message: &Outgoing| {
            let records = split_records(&message.body);
            (message.row.unwrap().row, records.len())
        };
        batch.messages.iter().map(shape).collect()
    }

    #[test]
    fn a_row_that_cannot_be_sent_ends_its_message() {
        let mut bodies = vec![record("a,b"); 12];
        bodies[1] = RowBody::Invalid(InvalidReason::Characters);
        bodies[5] = record(&"x".repeat(MAX_BATCH_BYTES));
        let size = BatchSize {
            messages: 10,
            rows_per_message: 4,
        };
        let batches = batches(bodies, size);
        let [(batch, behind)] = &batches[..] else {
            panic!("{batches:?}");
        };
        assert_eq!(shape(batch), [(1, 1), (3, 3), (7, 4), (11, 2)]);
        let invalid: Vec<_> = batch.invalid.iter().map(|(row, _)| row.row).collect();
        assert_eq!(invalid, [2, 6]);
        assert_eq!(behind.rows, 12);
    }

    #[test]
    fn long_rows_make_messages_of_fewer_that_still_fit_into_one_call() {
        let size = BatchSize {
            messages: 10,
            rows_per_message: 100,
        };
        let bodies = vec![record(&"x".repeat(5_000)); 60];
        let batches = batches(bodies, size);
        let shapes: Vec<_> = batches.iter().map(|(batch, _)| shape(batch)).collect();
        assert_eq!(shapes.len(), 2);
        assert!(shapes[0].iter().all(|(_, rows)| *rows == 5), "{shapes:?}");
        assert_eq!((shapes[0].len(), shapes[1].len()), (10, 2));
    }

    #[test]
    fn files_that_are_read_from_share_a_thread_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let file = CsvFile::new().valid_rows(1_000).bytes();
        let mut survey = Survey::new(u64::MAX);
        survey.look(&file).unwrap();
        let mut upload = spool.begin().unwrap();
        upload.write(&file, &file).unwrap();
        let received = Received {
            file_name: None,
            surveyed: survey.finish().unwrap(),
        };
        let manifest = upload.commit(received).unwrap();
        let size = BatchSize {
            messages: 10,
            rows_per_message: 1,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let start = manifest.start();
            let read = || Batches::read(spool.clone(), manifest.clone(), start, size);
            let mut files: Vec<Batches> = (0..50).map(|_| read()).collect();
            for file in &mut files {
                let (_, behind) = file.next().await.unwrap().unwrap();
                assert_eq!(behind.rows, 10);
            }
            for mut file in files {
                let mut rows = 10;
                while let Some((batch, behind)) = file.next().await.unwrap() {
                    rows += batch.messages.len() as u64;
                    assert_eq!(behind.rows, rows);
                }
                assert_eq!(rows, 1_000);
            }
        });
    }

    fn body() -> impl Strategy<Value = RowBody> {
        prop_oneof![
            8 => "[a-z,]{1,40}".prop_map(RowBody::Message),
            2 => (1..20_000_usize).prop_map(|bytes| record(&"x".repeat(bytes))),
            1 => (1..3 * MAX_BATCH_BYTES / 2).prop_map(|bytes| record(&"x".repeat(bytes))),
            1 => Just(RowBody::Invalid(InvalidReason::Characters)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_row_is_in_one_place_and_no_batch_is_too_large(
            bodies in prop::collection::vec(body(), 0..80),
            messages in 1..=MAX_BATCH_ENTRIES,
            rows_per_message in 1..=7_usize,
        ) {
            let size = BatchSize { messages, rows_per_message };
            let mut next = 1;
            for (batch, behind) in batches(bodies.clone(), size) {
                prop_assert!(batch.messages.len() <= messages);
                prop_assert!(batch.messages.len() + batch.invalid.len() <= size.rows());
                let bytes: usize = batch.messages.iter().map(Outgoing::size).sum();
                prop_assert_eq!(bytes, batch.bytes);
                prop_assert!(bytes <= MAX_BATCH_BYTES);
                let mut found: Vec<(u64, Option<&str>)> = Vec::new();
                found.extend(batch.invalid.iter().map(|(row, _)| (row.row, None)));
                for message in &batch.messages {
                    let records = split_records(&message.body);
                    prop_assert!(records.len() <= rows_per_message);
                    let first = message.row.unwrap().row;
                    found.extend((first..).zip(records.into_iter().map(Some)));
                }
                found.sort_unstable();
                for (row, text) in found {
                    prop_assert_eq!(row, next);
                    let index = usize::try_from(row - 1).unwrap();
                    match (&bodies[index], text) {
                        (RowBody::Message(body), Some(text)) => prop_assert_eq!(body, text),
                        (RowBody::Message(body), None) => {
                            prop_assert!(body.len() + 100 > MAX_BATCH_BYTES);
                        }
                        (RowBody::Invalid(_), text) => prop_assert_eq!(text, None),
                    }
                    next += 1;
                }
                prop_assert_eq!((behind.rows, behind.offset), (next - 1, (next - 1) * 10));
            }
            prop_assert_eq!(next, bodies.len() as u64 + 1);
        }
    }
}
