//! Running a process: settings, telemetry, metrics, ops routes, shutdown.

mod metrics;
mod ops;
mod process;
mod settings;
mod telemetry;

pub use metrics::{AppRegistry, MetricsError};
pub use ops::{bind, ops_routes, serve_during};
pub use process::{StartError, block_on, shutdown_on_signals};
pub use settings::{AwsKeys, BaseSettings, Environment, RedisSettings, SettingError};
pub use telemetry::init_telemetry;
