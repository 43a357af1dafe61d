//! The records of a file → batches → SQS, from the checkpoint on.

mod batches;
mod importer;
mod reconcile;
mod selection;
mod sender;
mod sending;
mod waiting;

pub use batches::{Batch, BatchAt, BatchSize, Batches};
pub use importer::{Importer, SendingLimits};
pub use reconcile::{ReconcileError, Reconciled};
pub use sender::{Room, SendError, Sender};
pub use waiting::Waiting;
