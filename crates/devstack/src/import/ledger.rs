use anyhow::Result;
use common::{
    ledger::{LedgerSettings, SharedLedger},
    runtime::Environment,
};

use crate::ledger_server::LedgerServer;

/// The ledger that services keep in that server.
pub(crate) async fn connect(server: &LedgerServer) -> Result<SharedLedger> {
    let variables = server.variables().into_iter();
    let environment: Environment = variables
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let settings = LedgerSettings::read(&environment)?;
    Ok(settings.connect(None).await?)
}
