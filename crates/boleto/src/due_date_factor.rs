use std::fmt;

use jiff::civil::{Date, date};
use jiff::{Span, Unit};

use crate::{Digits, DueDate};

/// Fator de vencimento: the four digits of a barcode that stand for the due
/// date.
///
/// Until 2025-02-21 they are the days since 1997-10-07, and 2025-02-21 is
/// 9999. From 2025-02-22 on they start again at 1000, and 2049-10-13 is 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueDateFactor(u16);

/// Day zero of the first series.
const FIRST_BASE: Date = date(1997, 10, 7);
/// Day of the factor 1000 of the second series.
const SECOND_START: Date = date(2025, 2, 22);
/// Last day with a factor.
const END: Date = date(2049, 10, 13);
/// First factor of the second series.
const RESTART: u16 = 1000;

/// How far back and ahead of today a factor is read (bank manuals).
const DAYS_BACK: i32 = 3_000;
const DAYS_AHEAD: i32 = 5_500;

impl DueDateFactor {
    /// The factor of that number; `None` above 9999.
    pub const fn new(factor: u16) -> Option<Self> {
        if factor <= 9_999 {
            Some(Self(factor))
        } else {
            None
        }
    }

    /// The factor of a civil date; `None` before 1997-10-07 and after
    /// 2049-10-13.
    pub fn of_date(due: Date) -> Option<Self> {
        let (base, first) = if due < SECOND_START {
            (FIRST_BASE, 0)
        } else {
            (SECOND_START, RESTART)
        };
        if due > END {
            return None;
        }
        let days = u16::try_from(days(base, due)).ok()?;
        Some(Self(first + days))
    }

    /// The factor of four values from 0 to 9.
    pub(crate) fn of_digits(digits: [u16; 4]) -> Self {
        Self(digits.iter().fold(0, |factor, digit| factor * 10 + digit))
    }

    pub(crate) fn digits(self) -> Digits<4> {
        Digits::lowest(self.0.into()).0
    }

    /// The number, 0 to 9999.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The date that a reader takes it for on that day: the one of either
    /// series that lies from 3,000 days back to 5,500 ahead. `None` where
    /// there is none, and for 0000, which means no due date.
    pub fn date_as_read_on(self, today: Date) -> Option<Date> {
        if self.0 == 0 {
            return None;
        }
        let first = later(FIRST_BASE, self.0);
        let second = self.0.checked_sub(RESTART);
        let second = second.and_then(|days| later(SECOND_START, days));
        [first, second].into_iter().flatten().find(|due| {
            let ahead = days(today, *due);
            (-DAYS_BACK..=DAYS_AHEAD).contains(&ahead)
        })
    }
}

/// Every due date has one.
impl From<DueDate> for DueDateFactor {
    fn from(due: DueDate) -> Self {
        Self::of_date(due.date()).unwrap_or(Self(0))
    }
}

/// Four digits.
impl fmt::Display for DueDateFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

fn later(base: Date, days: u16) -> Option<Date> {
    base.checked_add(Span::new().days(i64::from(days))).ok()
}

/// Days from one date to another.
fn days(from: Date, to: Date) -> i32 {
    from.until((Unit::Day, to))
        .map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn factor(text: &str) -> Option<u16> {
        DueDateFactor::of_date(text.parse().unwrap()).map(DueDateFactor::get)
    }

    #[test]
    fn the_series_end_and_begin_as_febraban_has_it() {
        assert_eq!(factor("1997-10-06"), None);
        assert_eq!(factor("1997-10-07"), Some(0));
        assert_eq!(factor("2000-07-03"), Some(1_000));
        assert_eq!(factor("2025-02-21"), Some(9_999));
        assert_eq!(factor("2025-02-22"), Some(1_000));
        assert_eq!(factor("2049-10-13"), Some(9_999));
        assert_eq!(factor("2049-10-14"), None);
    }

    proptest! {
        #[test]
        fn every_due_date_has_a_factor_that_reads_back_on_its_day(days in 0..=17_999_i64) {
            let due = DueDate::MIN.date().checked_add(Span::new().days(days)).unwrap();
            let due = DueDate::from_date(due).unwrap();
            let factor = DueDateFactor::from(due);
            prop_assert!((1_000..=9_999).contains(&factor.get()));
            prop_assert_eq!(factor.date_as_read_on(due.date()), Some(due.date()));
        }
    }
}
