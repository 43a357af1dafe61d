use common::{
    ledger::{RedisLedger, RedisSettings},
    runtime::{Environment, ServiceError, SettingError},
};

/// The ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its settings.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Redis at start.
    #[error(transparent)]
    Start(#[from] ServiceError),
}

/// The ledger that services keep in the Redis of that port on this machine.
pub(crate) async fn connect(redis_port: u16) -> Result<RedisLedger, ConnectError> {
    let environment: Environment = [
        ("REDIS_HOST".to_owned(), "127.0.0.1".to_owned()),
        ("REDIS_PORT".to_owned(), redis_port.to_string()),
    ]
    .into_iter()
    .collect();
    let settings = RedisSettings::read(&environment)?;
    Ok(RedisLedger::connect(&settings, None).await?)
}
