//! The rows of an import that somebody should look at, each with the reason
//! and the record as it stands in the file.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use common::ledger::RowLedger;
use contract::Reason;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::csv::{RawRecord, RawRecords, shown};
use crate::read_error::ReadError;
use crate::spool::{FileReader, Manifest, Spool};

/// Rows that are looked at in one call.
const ROWS_A_CALL: u64 = 4_096;
/// Bytes of records from which on a group is handed over: many clients may
/// read at a time, or not read.
const GROUP_BYTES: usize = 64 * 1024;
/// Most rejections of a group.
const GROUP: usize = 512;

/// A row that is INVALID, or undeliverable, or SKIPPED though it differs from
/// what was billed for its debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Number of the row.
    pub row: u64,
    /// The reason.
    pub reason: Arc<Reason>,
    /// Where it is in the file and what stands there, for as long as the
    /// spool has the file.
    pub record: Option<RejectedRecord>,
}

/// A record of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Number of its line, from 1.
    pub line: u64,
    /// Its text.
    pub text: String,
    /// The texts of its cells; where it cannot be cut into them, all of it is one.
    pub cells: Vec<String>,
}

/// The records of a file.
pub type Records = RawRecords<FileReader>;

/// Hands the rejections of an import of that many rows, up to `limit` of them,
/// to `taken`, some at a time, until it is closed. `records` are those of its file.
///
/// # Errors
/// The first call that failed; what was handed over before is right.
pub async fn read_rejections<L: RowLedger>(
    ledger: &L,
    mut records: Option<Records>,
    (import_id, rows): (Uuid, u64),
    limit: usize,
    taken: &mpsc::Sender<Vec<Rejection>>,
) -> Result<(), ReadError> {
    let (mut first, mut left) = (1, limit);
    while first <= rows && left > 0 {
        let count = ROWS_A_CALL.min(rows + 1 - first);
        let facts = ledger.row_facts(import_id, first, count).await?;
        first += count;
        let rejected = facts.into_iter().filter_map(|facts| {
            Some(Rejection {
                row: facts.row,
                reason: facts.reason?,
                record: None,
            })
        });
        let mut rejected: Vec<Rejection> = rejected.take(left).collect();
        left -= rejected.len();
        while !rejected.is_empty() {
            let size = if let Some(reader) = records.take() {
                let (reader, filled, size) = fill(reader, rejected).await?;
                (records, rejected) = (Some(reader), filled);
                size
            } else {
                GROUP.min(rejected.len())
            };
            let rest = rejected.split_off(size);
            if taken.send(rejected).await.is_err() {
                return Ok(());
            }
            rejected = rest;
        }
    }
    Ok(())
}

/// The records of an import's file; `None` if it is not in this spool.
///
/// # Errors
/// When the spool cannot be read.
pub async fn open_records(spool: &Spool, import_id: Uuid) -> io::Result<Option<Records>> {
    let Some(manifest) = spool.manifest_of(import_id).await? else {
        return Ok(None);
    };
    match records_of(spool, &manifest).await {
        Ok(records) => Ok(Some(records)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The records of the file of a manifest.
///
/// # Errors
/// When the spool cannot be read; of the kind `NotFound` where the file is gone.
pub async fn records_of(spool: &Spool, manifest: &Manifest) -> io::Result<Records> {
    let file = spool.read(manifest.import_id, 0).await?;
    let (layout, data_start) = (manifest.layout.clone(), manifest.data_start);
    blocking(move || RawRecords::new(file, layout, data_start)).await
}

/// Adds the record of each rejection, of as many as make a group; says how
/// many those are.
async fn fill(
    mut records: Records,
    mut rejections: Vec<Rejection>,
) -> io::Result<(Records, Vec<Rejection>, usize)> {
    let mut group = Group::default();
    loop {
        let is_whole;
        (records, rejections, group, is_whole) = blocking(move || {
            let is_whole = group.fill(&mut records, &mut rejections)?;
            Ok((records, rejections, group, is_whole))
        })
        .await?;
        if is_whole {
            return Ok((records, rejections, group.size));
        }
        records.file().fetch().await?;
    }
}

/// Rejections that are handed over together.
#[derive(Clone, Copy, Default)]
struct Group {
    bytes: usize,
    size: usize,
}

impl Group {
    /// Adds records, for as long as they are here and there is room. Gives
    /// whether the group is whole.
    fn fill(&mut self, records: &mut Records, rejections: &mut [Rejection]) -> io::Result<bool> {
        for rejection in rejections.iter_mut().take(GROUP).skip(self.size) {
            // The file is what was accepted, so it has every row.
            match records.record(rejection.row) {
                Ok(Some(RawRecord {
                    line, bytes, cells, ..
                })) => {
                    let text = shown(&bytes).into_owned();
                    self.bytes += text.len() * 2;
                    rejection.record = Some(RejectedRecord { line, text, cells });
                }
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            self.size += 1;
            if self.bytes >= GROUP_BYTES {
                break;
            }
        }
        Ok(true)
    }
}
