use std::collections::BTreeMap;

use thiserror::Error;

use super::{GUI, checksum};

/// A BR Code that was read: elements and checksum are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrCode(BTreeMap<String, String>);

/// How a PIX is paid by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixType {
    /// To a key.
    Static,
    /// To what a URL tells.
    Dynamic,
    /// It only sets up a recurrence.
    RecurrenceOnly,
}

/// Why a text is no [`BrCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrCodeError {
    /// The four digits at the end do not fit what stands before.
    #[error("the checksum at the end does not fit the text")]
    Checksum,
    /// An element is cut off, or its length is no number.
    #[error("the element at character {position} is cut off or has no length")]
    Element {
        /// Its place, from 1.
        position: usize,
    },
    /// There is no account information of PIX.
    #[error("it is no code of PIX")]
    NotPix,
}

/// Ids of templates: their value is elements again.
fn is_template(id: &str) -> bool {
    matches!(id.parse(), Ok(26..=51_u8 | 62 | 80..=99))
}

impl BrCode {
    /// Reads a code.
    ///
    /// # Errors
    /// When it is malformed, or somebody has changed it.
    pub fn read(code: &str) -> Result<Self, BrCodeError> {
        let (body, sum) = code
            .len()
            .checked_sub(4)
            .and_then(|end| code.split_at_checked(end))
            .ok_or(BrCodeError::Checksum)?;
        if !body.ends_with("6304") || checksum(body) != sum.to_ascii_uppercase() {
            return Err(BrCodeError::Checksum);
        }
        let mut read = Self(BTreeMap::new());
        for (id, value, position) in elements(code, 0)? {
            if is_template(id) {
                for (inner, value, _) in elements(value, position)? {
                    read.0.insert(format!("{id}-{inner}"), value.to_owned());
                }
            } else {
                read.0.insert(id.to_owned(), value.to_owned());
            }
        }
        let is_pix = read
            .get("26-00")
            .is_some_and(|gui| gui.eq_ignore_ascii_case(GUI));
        is_pix.then_some(read).ok_or(BrCodeError::NotPix)
    }

    /// The value of an element by its id, or by that of its template and its
    /// own, such as `62-05`.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// The ids of its elements.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How it is paid.
    pub fn pix_type(&self) -> PixType {
        if self.get("26-25").is_some() {
            PixType::Dynamic
        } else if self.get("26-01").is_some() {
            PixType::Static
        } else {
            PixType::RecurrenceOnly
        }
    }
}

/// Id, value and the value's place of each element.
fn elements(text: &str, offset: usize) -> Result<Vec<(&str, &str, usize)>, BrCodeError> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let cut = BrCodeError::Element {
            position: offset + at + 1,
        };
        let id = text.get(at..at + 2).ok_or(cut)?;
        let length: usize = text
            .get(at + 2..at + 4)
            .filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|length| length.parse().ok())
            .ok_or(cut)?;
        let value = text.get(at + 4..at + 4 + length).ok_or(cut)?;
        found.push((id, value, offset + at + 4));
        at += 4 + length;
    }
    Ok(found)
}
