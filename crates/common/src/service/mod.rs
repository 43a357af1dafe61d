//! Running a process: settings, telemetry, traces, metrics, ops routes, shutdown.

mod connections;
mod dependencies;
mod health;
mod log_format;
mod ops;
mod readiness;
mod server;
mod service_main;
mod settings;
mod telemetry;
mod traces;
mod wiring;

pub use connections::Place;
pub use readiness::Readiness;
pub use server::DRAIN;
pub use service_main::service_main;
pub use settings::BaseSettings;
pub use traces::TraceSettings;
pub use wiring::Wiring;
