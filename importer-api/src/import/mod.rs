//! The records of a file → batches → SQS, from the checkpoint on.

mod batches;
mod importer;
mod reconcile;
mod sender;
mod sending;

pub use batches::{Batch, BatchAt, BatchSize, read_batches};
pub use importer::Importer;
pub use reconcile::{ReconcileError, Reconciled};
pub use sender::{Room, SendError, Sender};
