use std::fmt;

use jiff::civil::{Date, date};
use jiff::{Span, Unit};
use thiserror::Error;

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

/// How far back and ahead of the day of payment a factor is read (FEBRABAN
/// FB-082/2012).
const DAYS_BACK: i32 = 3_000;
const DAYS_AHEAD: i32 = 5_500;
/// How long a boleto must be payable at least. A due date of years ago leaves
/// the window some day after billing, one of years ahead never does.
const DAYS_TO_PAY: i32 = 100;

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

/// The due dates that may be billed on one day: banks read their factor as
/// the date that was meant, on that day and for 100 days after it.
///
/// ```
/// let window = boleto::DueDateWindow::of_billing_on("2026-11-29".parse()?);
/// assert!(window.takes("2027-01-31".parse()?).is_ok());
/// // A bank would take it for 2020-05-12.
/// assert!(window.takes("2045-01-01".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueDateWindow {
    first: Date,
    last: Date,
}

/// Banks would read the due date as another day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the due date is not from {first} to {last}: banks read a barcode's due date as a day no more than 3,000 days before the payment and 5,500 after it, so they would take this one for another day; correct it, or collect the debt in another way"
)]
pub struct OutsideWindow {
    /// First due date that could be billed on that day.
    pub first: Date,
    /// The last one.
    pub last: Date,
}

impl DueDateWindow {
    /// The window of a day of billing. It is made of date arithmetic: make it
    /// once per batch, not once per debt.
    pub fn of_billing_on(today: Date) -> Self {
        let days = |days: i32| Span::new().days(days);
        Self {
            first: today.saturating_sub(days(DAYS_BACK - DAYS_TO_PAY)),
            last: today.saturating_add(days(DAYS_AHEAD)),
        }
    }

    /// Whether that due date may be billed.
    ///
    /// # Errors
    /// When banks would read it as another day, now or soon.
    pub fn takes(self, due: DueDate) -> Result<(), OutsideWindow> {
        let Self { first, last } = self;
        if (first..=last).contains(&due.date()) {
            Ok(())
        } else {
            Err(OutsideWindow { first, last })
        }
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

    #[test]
    fn what_banks_would_take_for_another_day_is_outside_the_window() {
        let window = DueDateWindow::of_billing_on(date(2026, 11, 29));
        for (due, takes) in [
            ("2010-01-01", false),
            ("2018-12-20", false),
            ("2018-12-21", true),
            ("2020-01-01", true),
            ("2027-01-31", true),
            ("2041-12-20", true),
            ("2041-12-21", false),
            ("2045-01-01", false),
        ] {
            assert_eq!(window.takes(due.parse().unwrap()).is_ok(), takes, "{due}");
        }
        let error = window.takes("2045-01-01".parse().unwrap()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("2018-12-21 to 2041-12-20"), "{said}");
    }

    fn due_date(days: i64) -> DueDate {
        let due = DueDate::MIN.date().checked_add(Span::new().days(days));
        DueDate::from_date(due.unwrap()).unwrap()
    }

    proptest! {
        /// And nothing else is inside: on the last day of payment the window
        /// begins where the bank's does.
        #[test]
        fn a_due_date_in_the_window_is_read_as_it_was_meant_until_it_is_paid(
            days in 0..=17_999_i64,
            today in 0..=17_999_i64,
            later in 0..=i64::from(DAYS_TO_PAY),
        ) {
            let (due, today) = (due_date(days), due_date(today).date());
            let day = |days: i64| today.checked_add(Span::new().days(days)).unwrap();
            let read = |day: Date| DueDateFactor::from(due).date_as_read_on(day) == Some(due.date());
            let takes = DueDateWindow::of_billing_on(today).takes(due).is_ok();
            prop_assert!(!takes || read(day(later)));
            prop_assert_eq!(takes, read(today) && read(day(DAYS_TO_PAY.into())));
        }

        #[test]
        fn every_due_date_has_a_factor_that_reads_back_on_its_day(days in 0..=17_999_i64) {
            let due = due_date(days);
            let factor = DueDateFactor::from(due);
            prop_assert!((1_000..=9_999).contains(&factor.get()));
            prop_assert_eq!(factor.date_as_read_on(due.date()), Some(due.date()));
        }
    }
}
