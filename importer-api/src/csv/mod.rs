//! A file's layout and its records, in bounded memory.

mod layout;
mod rows;
mod scanner;
mod survey;

pub use layout::{Layout, LayoutError};
pub use rows::{Position, Row, RowBody, Rows};
pub use scanner::{Scanned, Scanner};
pub use survey::{Survey, SurveyError, Surveyed};
