//! The hash of an import: its fields, and what they say. Times are
//! milliseconds since 1970.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::ledger::{Erasure, ImportStatus, NewImport, OutcomeCounts, PutOffRows};

pub(super) const ROWS: &str = "rows";
pub(super) const FILE_NAME: &str = "file_name";
pub(super) const SIZE: &str = "size";
pub(super) const SHA256: &str = "sha256";
pub(super) const ACCEPTED_AT: &str = "accepted_at";
pub(super) const SPOOL: &str = "spool";
pub(super) const CLIENT: &str = "client";
pub(super) const SENT: &str = "sent";
pub(super) const OFFSET: &str = "offset";
pub(super) const SENT_AT: &str = "sent_at";
pub(super) const CANCELLED_AT: &str = "cancelled_at";
pub(super) const ABANDONED_AT: &str = "abandoned_at";
pub(super) const FAILURE: &str = "failure";
pub(super) const FINISHED_AT: &str = "finished_at";
pub(super) const WAITED_AT: &str = "waited_at";
/// What identifies its debtors is to be erased: since when, who asked for it,
/// and when it was done.
pub(super) const ERASING_SINCE: &str = "erasing_since";
pub(super) const ERASED_BY: &str = "erased_by";
pub(super) const ERASED_AT: &str = "erased_at";
/// Who carries it: how many have, the last of them, and until when.
pub(super) const EPOCH: &str = "epoch";
pub(super) const OWNER: &str = "owner";
pub(super) const CARRIED_UNTIL: &str = "carried_until";
/// The figures when they were last looked at, and when they last moved.
pub(super) const PROGRESS: &str = "progress";
pub(super) const PROGRESSED_AT: &str = "progressed_at";

/// What the fields say; the figures and what is put off are told elsewhere.
pub(super) fn read(import_id: Uuid, info: &HashMap<String, String>) -> Option<ImportStatus> {
    let time = |name| Timestamp::from_millisecond(number(info, name)?).ok();
    let accepted_at = time(ACCEPTED_AT)?;
    let text = |name: &str| info.get(name).filter(|text| !text.is_empty()).cloned();
    Some(ImportStatus {
        import: NewImport {
            import_id,
            file_name: text(FILE_NAME),
            size: number(info, SIZE)?,
            sha256: text(SHA256).unwrap_or_default(),
            rows: number(info, ROWS)?,
            accepted_at,
            spool: text(SPOOL).unwrap_or_default(),
            client: text(CLIENT).unwrap_or_default(),
        },
        sent: number(info, SENT).unwrap_or(0),
        offset: number(info, OFFSET).unwrap_or(0),
        sent_at: time(SENT_AT),
        cancelled_at: time(CANCELLED_AT),
        abandoned_at: time(ABANDONED_AT),
        failure: text(FAILURE),
        progressed_at: time(PROGRESSED_AT).unwrap_or(accepted_at),
        waited_at: time(WAITED_AT),
        carried_until: time(CARRIED_UNTIL),
        finished_at: time(FINISHED_AT),
        erasure: time(ERASING_SINCE).map(|asked_at| Erasure {
            asked_at,
            by: text(ERASED_BY).unwrap_or_default(),
            erased_at: time(ERASED_AT),
        }),
        counts: OutcomeCounts::default(),
        put_off: PutOffRows::default(),
        channels: Vec::new(),
    })
}

fn number<T: FromStr>(info: &HashMap<String, String>, name: &str) -> Option<T> {
    info.get(name)?.parse().ok()
}
