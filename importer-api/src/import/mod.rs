//! The records of a file → batches → SQS, from the checkpoint on.

mod batches;
mod dispatcher;
mod importer;
mod reconcile;
mod reconciled;
mod selection;
mod sending;
mod turns;
mod waiting;

pub use batches::{Batch, BatchAt, BatchSize, Batches};
pub use dispatcher::{Dispatcher, Room};
pub use importer::{Importer, SendingLimits};
pub use reconciled::{ReconcileError, Reconciled};
pub use waiting::Waiting;
