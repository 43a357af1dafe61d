//! What messaging, the ledger and a service are built on: settings from the
//! environment, metrics, errors, and waiting for a dependency that is away.
//!
//! It knows none of them.

mod environment;
mod error;
mod metrics;
mod outage;
mod probe;
#[cfg(target_os = "linux")]
mod process_metrics;
mod secret;
mod tally;

pub use environment::{Environment, HeldSecret, SettingError};
pub use error::{ServiceError, with_causes};
pub use metrics::{AppRegistry, Declared, Metric, MetricsError};
pub use outage::{
    Backoff, Dependency, GaveUp, Interrupted, Outage, Transient, outage_backoff, ride_out, wait,
};
pub use probe::ReadyProbe;
pub use secret::Secret;
pub use tally::tally;

pub(crate) use environment::{hidden, wrong};
