//! A file's text, its layout and its records, in bounded memory.

mod conversion;
mod cutter;
mod decode;
mod header;
mod not_csv;
mod raw;
mod rows;
mod survey;

pub use conversion::Conversion;
pub use cutter::{Cut, Cutter, Place};
pub use decode::shown;
pub use header::{Guess, Header, HeaderError, find_header};
pub use not_csv::NotCsv;
pub use raw::{RawRecord, RawRecords};
pub use rows::{Position, Row, RowBody, Rows};
pub use survey::{Survey, SurveyError, Surveyed};
