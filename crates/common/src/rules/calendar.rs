//! The day on which boletos are issued.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

/// Which day it is for the issuer: a slip has it as the day of issue, and it
/// decides which due dates may be billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calendar {
    /// The civil date in Brasília, which has been three hours behind UTC all
    /// year since 2019 (Decreto 9.772).
    #[default]
    Brasilia,
    /// Always that day, for tests.
    Fixed(Date),
}

impl Calendar {
    /// The day at this moment.
    pub fn today(self) -> Date {
        match self {
            Self::Brasilia => {
                let brasilia = TimeZone::fixed(Offset::constant(-3));
                brasilia.to_datetime(Timestamp::now()).date()
            }
            Self::Fixed(day) => day,
        }
    }
}
