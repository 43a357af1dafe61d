//! What an import's `<id>.json` and `<id>.checkpoint` hold.

use common::ledger::NewImport;
use contract::Layout;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
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
}

impl From<&Manifest> for NewImport {
    fn from(manifest: &Manifest) -> Self {
        Self {
            import_id: manifest.import_id,
            file_name: manifest.file_name.clone(),
            size: manifest.size,
            sha256: manifest.sha256.clone(),
            rows: manifest.rows,
            accepted_at: manifest.accepted_at,
        }
    }
}

impl Manifest {
    /// Before the first data record.
    pub fn start(&self) -> Position {
        Position {
            offset: self.data_start,
            rows: 0,
        }
    }
}

/// How far an import is sent: SQS has accepted every row before `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where sending goes on.
    pub position: Position,
    /// Nothing more is to be sent: all rows are, or the import was cancelled
    /// or failed.
    pub done: bool,
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
    }
}
