use anyhow::Result;
use common::{
    ledger::{LedgerSettings, SharedLedger},
    runtime::Environment,
};

/// The ledger that services keep in the Redis of that port on this machine.
pub(crate) async fn connect(redis_port: u16) -> Result<SharedLedger> {
    let environment: Environment = [
        ("REDIS_HOST".to_owned(), "127.0.0.1".to_owned()),
        ("REDIS_PORT".to_owned(), redis_port.to_string()),
    ]
    .into_iter()
    .collect();
    let settings = LedgerSettings::read(&environment)?;
    Ok(settings.connect(None).await?)
}
