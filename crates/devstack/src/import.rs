//! A file of debts: what must become of its rows, its upload, and how far its import is.

mod expected;
mod ledger;
mod progress;
mod upload;

pub(crate) use expected::Expected;
pub(crate) use ledger::connect;
pub(crate) use progress::{PATIENCE, finished, is_over};
pub(crate) use upload::{Importer, upload};
