//! Rules of the boleto (Brazilian payment slip): money, due dates, numbers.
//!
//! Pure functions and types that cannot hold a wrong value. No I/O, no async
//! runtime, no AWS, no Redis.

mod amount;
mod due_date;
mod our_number;

pub use amount::{Amount, AmountError};
pub use due_date::{DueDate, DueDateError};
pub use our_number::{Convenio, OurNumber, SequenceError};
