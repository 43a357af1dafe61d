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
mod wiring;

pub use connections::Place;
pub use process::service_main;
pub use readiness::Readiness;
pub use server::DRAIN;
pub use settings::BaseSettings;
pub use wiring::Wiring;
