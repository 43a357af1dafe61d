//! What an import's `<id>.json` and, in a folder, `<id>.checkpoint` hold.

use std::collections::BTreeMap;

use common::ledger::{self, NewImport};
use common::runtime::TraceContext;
use contract::Layout;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::csv::Position;

/// An accepted upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The import.
    pub import_id: Uuid,
    /// The name that the client gave the file, fit to be shown.
    pub file_name: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file in lowercase hex; empty in the manifest of an
    /// older version.
    #[serde(default)]
    pub sha256: String,
    /// Data records.
    pub rows: u64,
    /// How its records hold the columns.
    pub layout: Layout,
    /// Where its first data record may start.
    pub data_start: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Who uploaded it; empty where clients have no tokens, and in the
    /// manifest of an older version.
    #[serde(default)]
    pub client: String,
    /// The hash of its idempotency key, if it has one.
    #[serde(default)]
    pub key: Option<String>,
    /// It was looked at first.
    #[serde(default)]
    pub previewed: bool,
    /// The trace of its upload, if it had one: whoever sends the import goes on
    /// with it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_trace",
        deserialize_with = "read_trace"
    )]
    pub trace: Option<TraceContext>,
}

#[expect(clippy::ref_option, reason = "the form of `serialize_with`")]
fn write_trace<S: Serializer>(trace: &Option<TraceContext>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(trace.iter().flat_map(TraceContext::fields))
}

/// One that cannot be read keeps no import from being sent.
fn read_trace<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TraceContext>, D::Error> {
    let fields: BTreeMap<String, String> = Deserialize::deserialize(from)?;
    Ok(TraceContext::read(|name| {
        fields.get(name).map(String::as_str)
    }))
}

impl Manifest {
    /// What the ledger is told of it.
    pub fn to_import(&self, spool: &str) -> NewImport {
        NewImport {
            import_id: self.import_id,
            file_name: self.file_name.clone(),
            size: self.size,
            sha256: self.sha256.clone(),
            rows: self.rows,
            accepted_at: self.accepted_at,
            spool: spool.to_owned(),
            client: self.client.clone(),
        }
    }

    /// Where its sending begins, or goes on behind that checkpoint.
    pub fn from(&self, checkpoint: ledger::Checkpoint) -> Position {
        // A ledger that was copied from one of an older version has no offset.
        if checkpoint.offset == 0 {
            return self.start();
        }
        Position {
            offset: checkpoint.offset,
            rows: checkpoint.rows,
        }
    }

    /// Before the first data record.
    pub fn start(&self) -> Position {
        Position {
            offset: self.data_start,
            rows: 0,
        }
    }
}

/// How far the sending of an import has come that has ended. In a folder of an
/// older version also one that goes on; the ledger knows where, or it begins
/// anew, and the rows that were sent are known by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Behind the last row that was sent.
    pub(super) position: Position,
    /// Nothing more is to be sent: all rows are, or the import was cancelled
    /// or failed.
    pub(super) done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_an_older_version_is_read() {
        let older = r#"{"import_id":"01a20cf7-b9ab-731a-b03f-a050ab734734","file_name":"a.csv",
            "size":5,"rows":3,"layout":{"delimiter":44,"columns":[0,1,2,3,4,5],"width":6},
            "data_start":5,"accepted_at":"2026-11-24T11:31:15Z"}"#;
        let manifest: Manifest = serde_json::from_str(older).unwrap();
        assert_eq!((manifest.size, manifest.rows), (5, 3));
        assert_eq!(manifest.sha256, "");
        assert_eq!(manifest.trace, None);
        // Nor does the manifest of an upload without a trace name one.
        let written = serde_json::to_string(&manifest).unwrap();
        assert!(!written.contains("trace"), "{written}");
    }
}
