//! Running a process: settings, telemetry, metrics, ops routes, shutdown.

mod metrics;
mod ops;
mod process;
mod settings;
mod telemetry;

pub use metrics::{AppRegistry, MetricsError};
pub use ops::{ops_routes, serve_during};
pub use process::{StartError, service_main};
pub use settings::{AwsKeys, BaseSettings, Environment, RedisSettings, SettingError};
