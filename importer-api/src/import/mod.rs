//! The records of a file → batches → SQS, from the checkpoint on.

mod arrivals;
mod batches;
mod carrying;
mod dispatcher;
mod importer;
mod leases;
mod readdress;
mod reconcile;
mod reconciled;
mod selection;
mod sending;

pub use arrivals::Arrivals;
pub use batches::{Batch, BatchAt, BatchSize, Batches};
pub use dispatcher::{Dispatcher, Room};
pub use importer::{Importer, SendingLimits};
pub use readdress::ReaddressError;
pub use reconciled::{ReconcileError, Reconciled};
