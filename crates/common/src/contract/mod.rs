//! What crosses a wire: the record, the notification, identities, names.
//!
//! A counterpart in another language talks to the services by these forms, so
//! a change here is a change of the contract.

mod body;
mod identity;
mod invalid;
mod json_amount;
mod notification;
mod printing;
mod record;
mod wire;

pub mod masking;
pub mod names;

pub use body::{MAX_RECORDS, RecordReader, RecordWriter, Records, push_record, split_records};
pub use identity::{RowId, RowIdentity};
pub use invalid::{InvalidReason, Reason};
pub use notification::{BilledBoleto, MalformedNotification, Notification, ReceivedNotification};
pub use record::{COLUMNS, DebtRecord};
