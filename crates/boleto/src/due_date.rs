use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, date};
use thiserror::Error;

/// Day on which a debt is due: a civil date that has a due-date factor
/// (fator de vencimento), so from 2000-07-03 to 2049-10-13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueDate(Date);

/// Why a text is no [`DueDate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DueDateError {
    /// Not a calendar day written as `YYYY-MM-DD` or `DD/MM/YYYY`.
    #[error("the due date is not a calendar day written as YYYY-MM-DD or DD/MM/YYYY")]
    Malformed,
    /// The barcode's factor covers 2000-07-03 to 2049-10-13 only.
    #[error("the due date has no due-date factor: it must lie from 2000-07-03 to 2049-10-13")]
    NoFactor,
}

impl DueDate {
    /// First day with a factor (1000 of the first series).
    pub const MIN: Self = Self(date(2000, 7, 3));
    /// Last day with a factor (9999 of the second series).
    pub const MAX: Self = Self(date(2049, 10, 13));

    /// The due date on that civil date.
    ///
    /// # Errors
    /// [`DueDateError::NoFactor`] outside [`DueDate::MIN`] to [`DueDate::MAX`].
    pub fn from_date(date: Date) -> Result<Self, DueDateError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&date) {
            Ok(Self(date))
        } else {
            Err(DueDateError::NoFactor)
        }
    }

    /// The civil date.
    pub const fn date(self) -> Date {
        self.0
    }

    /// As Brazilians write it: `19/01/2024`.
    pub fn brazilian(self) -> impl fmt::Display {
        brazilian_date(self.0)
    }
}

/// A civil date as Brazilians write it: `19/01/2024`.
pub fn brazilian_date(date: Date) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        write!(
            f,
            "{:02}/{:02}/{:04}",
            date.day(),
            date.month(),
            date.year()
        )
    })
}

/// ISO 8601: `2024-01-19`.
impl fmt::Display for DueDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Reads `YYYY-MM-DD`, and `DD/MM/YYYY` with the day first, as Brazilians write
/// it; blanks at either end are ignored, and so is the midnight that databases
/// put behind a day.
impl FromStr for DueDate {
    type Err = DueDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = match text.split_once([' ', 'T']) {
            Some((day, "00:00" | "00:00:00" | "00:00:00.000")) => day,
            _ => text,
        };
        // jiff also reads date-times and dates without dashes.
        let shape: Option<[u8; 10]> = text.as_bytes().try_into().ok();
        let shape =
            shape.map(|shape| shape.map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }));
        let date = match shape.as_ref() {
            Some(b"0000-00-00") => text.parse(),
            Some(b"00/00/0000") => format!("{}-{}-{}", &text[6..], &text[3..5], &text[..2]).parse(),
            _ => return Err(DueDateError::Malformed),
        };
        Self::from_date(date.map_err(|_| DueDateError::Malformed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_calendar_day() {
        let due: DueDate = " 2024-02-29 ".parse().unwrap();
        assert_eq!(due.date(), date(2024, 2, 29));
        assert_eq!(due.to_string(), "2024-02-29");
        assert_eq!(" 29/02/2024 ".parse(), Ok(due));
        assert_eq!("29/02/2024 00:00".parse(), Ok(due));
        assert_eq!("2024-02-29 00:00:00".parse(), Ok(due));
        assert_eq!("2024-02-29T00:00:00.000".parse(), Ok(due));
        // The second of January, whatever an American means by it.
        assert_eq!(
            "02/01/2027".parse::<DueDate>().unwrap().date(),
            date(2027, 1, 2)
        );
    }

    #[test]
    fn refuses_what_is_no_calendar_day() {
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "1/31/2027",
            "01/31/2027",
            "31/02/2027",
            "1/2/2027",
            "31/01/27",
            "31-01-2027",
            "2027/01/31",
            "31/01/2027 00:01",
            "2027-01-31 23:59:59",
            "2027-01-31T00:00:00Z",
            "20240119",
            "2024-1-19",
            "-2024-01-1",
            "abcd-ef-gh",
        ] {
            assert_eq!(
                text.parse::<DueDate>(),
                Err(DueDateError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_days_without_a_factor() {
        assert!("2000-07-03".parse::<DueDate>().is_ok());
        assert!("2049-10-13".parse::<DueDate>().is_ok());
        for text in ["2000-07-02", "1999-01-01", "2049-10-14", "9999-12-31"] {
            assert_eq!(
                text.parse::<DueDate>(),
                Err(DueDateError::NoFactor),
                "{text}"
            );
        }
    }
}
