//! The records of a file → batches → SQS, from the checkpoint on.

mod batches;
mod importer;
mod sender;

pub use batches::{Batch, BatchAt, read_batches};
pub use importer::Importer;
pub use sender::{SendError, Sender};
