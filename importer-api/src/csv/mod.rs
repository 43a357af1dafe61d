//! A file's layout and its records, in bounded memory.

mod layout;
mod raw;
mod rows;
mod scanner;
mod survey;

pub use layout::{Layout, LayoutError};
pub use raw::{RawRecord, RawRecords};
pub use rows::{Position, Row, RowBody, Rows, decoded};
pub use scanner::{Scanned, Scanner};
pub use survey::{Survey, SurveyError, Surveyed};
