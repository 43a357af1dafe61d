//! The due dates of valid rows.

use std::ops::RangeInclusive;

const DAYS_OF_MONTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Every day of four years as an ISO date: the two before a year, that year and the next. So any
/// file can be billed in the year it is written: banks read older and later dates as other days.
///
/// Those of 2026 cross 2025-02-22, where the due-date factor of a boleto starts again.
pub(super) struct DueDates(Vec<String>);

impl DueDates {
    pub(super) fn around(year: i16) -> Self {
        let mut dates = Vec::new();
        for year in Self::years(year) {
            for (month, days) in (1..).zip(DAYS_OF_MONTHS) {
                // Every fourth year is a leap year as far as these years go.
                let leap_day = u8::from(month == 2 && year % 4 == 0);
                for day in 1..=days + leap_day {
                    dates.push(format!("{year}-{month:02}-{day:02}"));
                }
            }
        }
        Self(dates)
    }

    fn years(year: i16) -> RangeInclusive<i16> {
        year - 2..=year + 1
    }

    /// How many days there are: the same for each year, as one of the four is a leap year.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The day with that index, from 0.
    pub(super) fn iso(&self, index: usize) -> &str {
        &self.0[index]
    }
}

#[cfg(test)]
mod tests {
    use boleto::DueDateWindow;
    use jiff::civil::date;

    use super::*;

    #[test]
    fn all_days_of_four_years_are_there() {
        let dates = DueDates::around(2026);

        assert_eq!(dates.iso(0), "2024-01-01");
        assert_eq!(dates.iso(59), "2024-02-29");
        assert_eq!(dates.iso(dates.count() - 1), "2027-12-31");
        for year in 2026..2060 {
            assert_eq!(DueDates::around(year).count(), 366 + 3 * 365, "{year}");
        }
    }

    #[test]
    fn all_of_them_can_be_billed_in_their_year() {
        for year in 2026..2040 {
            let dates = DueDates::around(year);
            for day in [date(year, 1, 1), date(year, 12, 31)] {
                let window = DueDateWindow::of_billing_on(day);
                for index in 0..dates.count() {
                    let due = dates.iso(index);
                    assert!(window.takes(due.parse().unwrap()).is_ok(), "{due} on {day}");
                }
            }
        }
    }
}
