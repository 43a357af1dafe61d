//! Running a process: settings, telemetry, metrics, ops routes, shutdown.

mod connections;
mod dependencies;
mod health;
mod metrics;
mod ops;
mod process;
#[cfg(target_os = "linux")]
mod process_metrics;
mod readiness;
mod server;
mod settings;
mod telemetry;

pub use connections::Place;
pub use dependencies::DependencyGauges;
pub use metrics::{AppRegistry, MetricsError};
pub use ops::ops_routes;
pub use process::{StartError, service_main};
pub use readiness::{Readiness, ReadyProbe};
pub use server::{DRAIN, serve_during};
pub use settings::{AwsKeys, AwsSettings, BaseSettings, Environment, RedisSettings, SettingError};
