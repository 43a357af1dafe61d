use anyhow::Result;
use common::{
    ledger::{RedisLedger, RedisSettings},
    runtime::Environment,
};

/// The ledger that services keep in the Redis of that port on this machine.
pub(crate) async fn connect(redis_port: u16) -> Result<RedisLedger> {
    let environment: Environment = [
        ("REDIS_HOST".to_owned(), "127.0.0.1".to_owned()),
        ("REDIS_PORT".to_owned(), redis_port.to_string()),
    ]
    .into_iter()
    .collect();
    let settings = RedisSettings::read(&environment)?;
    Ok(RedisLedger::connect(&settings, None).await?)
}
