//! Running a process: settings, telemetry, metrics, ops routes, shutdown.

mod connections;
mod dependencies;
mod health;
mod ops;
mod process;
mod readiness;
mod server;
mod settings;
mod telemetry;

pub use connections::Place;
pub use dependencies::DependencyGauges;
pub use ops::ops_routes;
pub use process::service_main;
pub use readiness::Readiness;
pub use server::{DRAIN, serve_during};
pub use settings::BaseSettings;
