use std::fmt;

/// Most rows of a sheet, as Excel has it.
pub(super) const MAX_ROWS: u32 = 1_048_576;
/// Most columns of a sheet: the last one is XFD.
pub(super) const MAX_COLUMNS: u32 = 16_384;

/// Where a cell is, counted from 0. It displays as spreadsheets show it: `B17`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellPlace {
    /// Its row.
    pub row: u32,
    /// Its column.
    pub column: u32,
}

impl CellPlace {
    /// Reads a place as a workbook writes it; `None` where no sheet has such
    /// a cell.
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| c.is_ascii_digit())?;
        let (letters, row) = text.split_at(digits);
        if letters.len() > 3 || row.len() > 7 {
            return None;
        }
        let mut column = 0;
        for letter in letters.bytes() {
            if !letter.is_ascii_alphabetic() {
                return None;
            }
            column = column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1;
        }
        let place = Self {
            row: row_of(row)?,
            column: column.checked_sub(1)?,
        };
        (place.column < MAX_COLUMNS).then_some(place)
    }
}

/// The row of that number, counted from 0.
pub(super) fn row_of(number: &str) -> Option<u32> {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let row = number.parse::<u32>().ok().filter(|_| is_number)?;
    row.checked_sub(1).filter(|row| *row < MAX_ROWS)
}

impl From<(u32, u32)> for CellPlace {
    fn from((row, column): (u32, u32)) -> Self {
        Self { row, column }
    }
}

impl fmt::Display for CellPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut left, mut letters) = (self.column + 1, Vec::new());
        while left > 0 {
            left -= 1;
            letters.push((b'A' + (left % 26) as u8) as char);
            left /= 26;
        }
        let letters: String = letters.iter().rev().collect();
        write!(f, "{letters}{}", self.row + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_shown() {
        for (text, row, column) in [
            ("A1", 0, 0),
            ("Z9", 8, 25),
            ("AA10", 9, 26),
            ("XFD1048576", MAX_ROWS - 1, MAX_COLUMNS - 1),
        ] {
            let place = CellPlace { row, column };
            assert_eq!(CellPlace::read(text), Some(place));
            assert_eq!(place.to_string(), text);
        }
        for text in [
            "",
            "A",
            "1",
            "A0",
            "XFE1",
            "A1048577",
            "A1A",
            "Á1",
            "AAAAAAAA1",
            "A+1",
        ] {
            assert_eq!(CellPlace::read(text), None, "{text}");
        }
    }
}
