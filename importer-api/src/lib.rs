//! importer-api: takes a CSV or a workbook of debts, puts it safely away, answers, and
//! streams it to `data-process`.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`http`] | routes, problem documents, API documentation, the page for people |
//! | [`intake`] | an upload → surveyed, in the spool, safe |
//! | [`acceptance`] | a stored upload → an import; idempotency keys |
//! | [`slips`] | the slips of an import as one ZIP archive |
//! | [`spool`] | the files of the imports, in a folder or on S3 |
//! | [`csv`] | a file's layout and its records, in bounded memory |
//! | [`erasure`] | what identifies the debtors of an import is removed |
//! | [`import`] | the records of a file → batches → SQS, from the checkpoint on |
//! | [`capacity`] | how much room is left in the ledger and on the spool's disk |
//! | [`preview`] | what a file would bill, before it is an import |
//! | [`progress`] | when each import last moved, and when it came to its end |
//! | [`reasons`] | why rows were not billed or have no e-mail, and how many |
//! | [`rejections`] | rows that somebody should look at, with reason and record |
//! | [`responses`] | answers of the API are counted |
//! | [`results`] | what became of every row, with the numbers of its boleto |
//! | [`retention`] | old files are removed |
//! | [`webhooks`] | another system is told of imports and undeliverable e-mails |
//! | [`workbook`] | an Excel workbook → the CSV of its first sheet, in bounded memory |

pub mod acceptance;
mod blocking;
pub mod capacity;
pub mod csv;
pub mod erasure;
pub mod http;
pub mod import;
pub mod intake;
mod metrics;
pub mod preview;
pub mod progress;
mod read_error;
pub mod reasons;
pub mod rejections;
pub mod responses;
pub mod results;
pub mod retention;
mod run;
mod seen;
mod settings;
pub mod slips;
pub mod spool;
pub mod webhooks;
pub mod workbook;

pub use metrics::ImporterMetrics;
pub use read_error::ReadError;
pub use run::run;
pub use settings::{Settings, SpoolSettings};
