//! The due dates of valid rows.

const FIRST_YEAR: u16 = 2024;
const LAST_YEAR: u16 = 2027;
const DAYS_OF_MONTHS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Every day from 2024-01-01 to 2027-12-31 as an ISO date.
///
/// The range crosses 2025-02-22, where the due-date factor of a boleto starts again.
pub(super) struct DueDates(Vec<String>);

impl DueDates {
    pub(super) fn new() -> Self {
        let mut dates = Vec::new();
        for year in FIRST_YEAR..=LAST_YEAR {
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

    /// How many days there are.
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
    use super::*;

    #[test]
    fn all_days_of_four_years_are_there() {
        let dates = DueDates::new();

        assert_eq!(dates.count(), 366 + 3 * 365);
        assert_eq!(dates.iso(0), "2024-01-01");
        assert_eq!(dates.iso(59), "2024-02-29");
        assert_eq!(dates.iso(dates.count() - 1), "2027-12-31");
    }
}
