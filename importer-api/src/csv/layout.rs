use common::contract::COLUMNS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Scanned, Scanner};

/// Delimiters that are looked for, the most usual one first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// How the records of a file hold the six columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Between two fields.
    pub delimiter: u8,
    /// Where each of the contract's columns stands in a record.
    pub columns: [usize; COLUMNS.len()],
    /// Columns of the header, others than ours included.
    pub width: usize,
}

/// The first record is not a header with all six columns.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Some are not there.
    #[error("the header lacks the columns {}; it has {}", .missing.join(", "), .found.join(", "))]
    Missing {
        /// Columns that are not there.
        missing: Vec<&'static str>,
        /// Columns that are.
        found: Vec<String>,
    },
    /// One is there more than once.
    #[error("the header has the column {0} more than once")]
    Repeated(&'static str),
    /// No record at all, or one that is no header.
    #[error("the first line is no header; it should be {}", COLUMNS.join(","))]
    NoHeader,
}

impl LayoutError {
    /// How far the header is from one that holds: fewer is nearer.
    fn distance(&self) -> usize {
        match self {
            Self::Repeated(_) => 0,
            Self::Missing { missing, .. } => missing.len(),
            Self::NoHeader => COLUMNS.len() + 1,
        }
    }
}

impl Layout {
    /// The layout of the file that starts with `head`, and where its header
    /// ends. `Ok(None)` when more of the file is needed to tell.
    ///
    /// # Errors
    /// With the delimiter that comes nearest to a header, what is wrong.
    pub fn detect(head: &[u8], is_whole: bool) -> Result<Option<(Self, usize)>, LayoutError> {
        let mut nearest: Option<LayoutError> = None;
        for delimiter in DELIMITERS {
            match Self::with_delimiter(head, is_whole, delimiter) {
                Ok(found) => return Ok(found),
                Err(error) => {
                    if nearest
                        .as_ref()
                        .is_none_or(|n| error.distance() < n.distance())
                    {
                        nearest = Some(error);
                    }
                }
            }
        }
        Err(nearest.unwrap_or(LayoutError::NoHeader))
    }

    fn with_delimiter(
        head: &[u8],
        is_whole: bool,
        delimiter: u8,
    ) -> Result<Option<(Self, usize)>, LayoutError> {
        let mut scanner = Scanner::new(delimiter);
        let (used, mut found) = scanner.scan(head);
        if found == Scanned::NeedsMore {
            if !is_whole {
                return Ok(None);
            }
            found = scanner.finish();
        }
        let Scanned::Record(fields) = found else {
            return Err(LayoutError::NoHeader);
        };
        let names: Vec<String> = fields
            .iter()
            .map(|field| String::from_utf8_lossy(field).trim().to_owned())
            .collect();
        let columns = columns(&names)?;
        let layout = Self {
            delimiter,
            columns,
            width: names.len(),
        };
        Ok(Some((layout, used)))
    }
}

fn columns(names: &[String]) -> Result<[usize; COLUMNS.len()], LayoutError> {
    let mut columns = [0; COLUMNS.len()];
    let mut missing = Vec::new();
    for (column, wanted) in columns.iter_mut().zip(COLUMNS) {
        let mut places = names
            .iter()
            .enumerate()
            .filter(|(_, name)| name.eq_ignore_ascii_case(wanted));
        match (places.next(), places.next()) {
            (Some((place, _)), None) => *column = place,
            (Some(_), Some(_)) => return Err(LayoutError::Repeated(wanted)),
            (None, _) => missing.push(wanted),
        }
    }
    if missing.is_empty() {
        return Ok(columns);
    }
    if missing.len() == COLUMNS.len() {
        return Err(LayoutError::NoHeader);
    }
    // What a client sent is shown back, shortened and without control characters.
    let found = names.iter().take(20).map(|name| {
        let shown = name.chars().filter(|c| !c.is_control()).take(40);
        shown.collect()
    });
    Err(LayoutError::Missing {
        missing,
        found: found.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(head: &str) -> Result<(Layout, usize), LayoutError> {
        Layout::detect(head.as_bytes(), true).map(Option::unwrap)
    }

    #[test]
    fn the_header_is_found_by_its_names_in_any_case_and_order() {
        let (layout, end) = detect(
            "\u{feff}debtID; EMAIL ;\"name\";extra;debtAmount;GovernmentId;debtDueDate\r\n1",
        )
        .unwrap();
        assert_eq!(layout.delimiter, b';');
        assert_eq!(layout.columns, [2, 5, 1, 4, 6, 0]);
        assert_eq!(layout.width, 7);
        assert!(end > 60);
        for delimiter in [",", ";", "\t"] {
            assert_eq!(
                detect(&COLUMNS.join(delimiter)).unwrap().0.columns,
                [0, 1, 2, 3, 4, 5]
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_for_the_nearest_delimiter() {
        let error = detect("name;governmentId;mail;debtAmount;debtDueDate;debtId\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the header lacks the columns email; it has name, governmentId, mail, debtAmount, debtDueDate, debtId"
        );
        let twice = format!("{},email", COLUMNS.join(","));
        assert_eq!(detect(&twice), Err(LayoutError::Repeated("email")));
        for head in [
            "",
            "\n\n",
            "John,1,a@b.co,1,2024-01-01,1\n",
            "\x00\x01PK\x03",
        ] {
            assert_eq!(detect(head), Err(LayoutError::NoHeader), "{head:?}");
        }
    }

    #[test]
    fn a_header_that_is_cut_needs_more() {
        assert_eq!(Layout::detect(b"name,governmentId", false), Ok(None));
    }
}
