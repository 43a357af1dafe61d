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

    /// The row that many rows behind this one; `None` where no file has so
    /// many.
    pub fn behind(self, rows: usize) -> Option<Self> {
        let row = self.row.checked_add(u64::try_from(rows).ok()?)?;
        Some(Self { row, ..self })
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
    /// A row whose message has no attributes, or ones that name no row of a
    /// registered import: the message's id in SQS, and where it holds several
    /// rows `#` and the place among them, from 1. No id of SQS holds a `#`.
    Message(String),
}

impl RowIdentity {
    /// The row at a place, from 1, in a message of several.
    pub fn in_message(id: &str, place: usize) -> Self {
        Self::Message(format!("{id}#{place}"))
    }

    /// The row of an import, if it is one.
    pub fn row(&self) -> Option<RowId> {
        match self {
            Self::Row(row) => Some(*row),
            Self::Message(_) => None,
        }
    }
}

/// `<import>/<row>`, `message:<id>` or `message:<id>#<place>`.
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
        for (identity, text) in [
            (
                RowIdentity::Row(row),
                "00000000-0000-0000-0000-000000000007/42",
            ),
            (RowIdentity::Message("a/1".into()), "message:a/1"),
            (RowIdentity::in_message("a/1", 3), "message:a/1#3"),
        ] {
            assert_eq!(identity.to_string(), text);
            assert_eq!(text.parse(), Ok(identity));
        }
    }

    #[test]
    fn rows_are_counted_on_as_far_as_a_number_goes() {
        let last = RowId {
            import_id: Uuid::from_u128(7),
            row: u64::MAX,
        };
        let before = RowId {
            row: u64::MAX - 1,
            ..last
        };
        assert_eq!(before.behind(1), Some(last));
        assert_eq!(before.behind(2), None);
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
