//! An import of a stack: its file, its upload, how far it is, and what must become of its rows.

mod boletos;
mod comparison;
mod expected;
mod ledger;
mod sample;
mod upload;
mod watch;

pub use boletos::Boletos;
pub use expected::Expected;
pub use ledger::ConnectError;
pub use upload::UploadError;
pub use watch::WatchError;

pub(crate) use comparison::Comparison;
pub(crate) use ledger::connect;
pub(crate) use sample::sample;
pub(crate) use upload::{Uploader, upload};
pub(crate) use watch::watch;
