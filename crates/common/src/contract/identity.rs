use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A row of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId {
    /// The import.
    pub import_id: Uuid,
    /// Number of the data record in its file, from 1; blank lines are not
    /// counted.
    pub row: u64,
}

impl RowId {
    /// Reads the two message attributes. `None` if one of them is missing or
    /// is not what it should be.
    pub fn from_attributes(import_id: Option<&str>, row: Option<&str>) -> Option<Self> {
        let import_id = import_id?.parse().ok()?;
        let row = row?.parse().ok().filter(|row| *row > 0)?;
        Some(Self { import_id, row })
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.import_id, self.row)
    }
}

/// Who asks for a debt to be billed: the same whenever a message comes again,
/// so that a repeat finds its own claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowIdentity {
    /// A row of a registered import.
    Row(RowId),
    /// A message without attributes, or whose attributes name no row of a
    /// registered import: its SQS message id.
    Message(String),
}

impl RowIdentity {
    /// The row of an import, if it is one.
    pub fn row(&self) -> Option<RowId> {
        match self {
            Self::Row(row) => Some(*row),
            Self::Message(_) => None,
        }
    }
}

/// `<import>/<row>`, or `message:<id>`.
impl fmt::Display for RowIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => row.fmt(f),
            Self::Message(id) => write!(f, "message:{id}"),
        }
    }
}

/// Reads what [`RowIdentity`] displays.
impl FromStr for RowIdentity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(id) = text.strip_prefix("message:") {
            return Ok(Self::Message(id.to_owned()));
        }
        let (import_id, row) = text.split_once('/').ok_or(())?;
        RowId::from_attributes(Some(import_id), Some(row))
            .map(Self::Row)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_what_it_displays() {
        let row = RowId {
            import_id: Uuid::from_u128(7),
            row: 42,
        };
        for identity in [RowIdentity::Row(row), RowIdentity::Message("a/1".into())] {
            assert_eq!(identity.to_string().parse(), Ok(identity));
        }
    }

    #[test]
    fn attributes_must_name_a_row() {
        let id = "00000000-0000-0000-0000-000000000007";
        assert!(RowId::from_attributes(Some(id), Some("1")).is_some());
        for (import_id, row) in [
            (None, Some("1")),
            (Some(id), None),
            (Some(id), Some("0")),
            (Some(id), Some("-1")),
            (Some("7"), Some("1")),
        ] {
            assert_eq!(RowId::from_attributes(import_id, row), None);
        }
    }
}
