//! What crosses a wire: the record, the notification, identities, names.
//!
//! A counterpart in another language talks to the services by these forms, so
//! a change here is a change of the contract. Another program can use the
//! suite's messages with this crate alone: it knows nothing that runs.

mod body;
mod cell;
mod columns;
mod conflict;
mod field;
mod identity;
mod invalid;
mod json_amount;
mod layout;
mod notification;
mod record;
mod scan;
mod wire;
mod writing;

pub mod masking;
pub mod names;

pub use body::{MAX_RECORDS, Records, debt_id_of, read_record, read_records, split_records};
pub use cell::Cell;
pub use columns::{Column, Fields, OptionalColumn, OptionalFields, push_line};
pub use conflict::{Conflict, Terms};
pub use field::trimmed;
pub use identity::{RowId, RowIdentity};
pub use invalid::{InvalidReason, Reason};
pub use layout::Layout;
pub use notification::{
    BilledBoleto, MalformedNotification, Notification, ReceivedNotification, envelope_attribute,
};
pub use record::{DebtRecord, email_address};
pub use scan::{MAX_LINE_BREAKS, MAX_RECORD_BYTES, Scanned, scan};
pub use writing::{push_record, write_record};

/// The page on adding a column; its code is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/ADDING_A_COLUMN.md")]
struct AddingAColumn;
