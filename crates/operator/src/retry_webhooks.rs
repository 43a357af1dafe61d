//! Sends the webhooks again that were given up.

use std::io::Write;

use clap::Args;
use common::ledger::{LedgerSettings, WebhookLedger};
use common::runtime::Environment;

use crate::error::CommandError;

/// Send the webhooks again that were given up.
///
/// An event is given up after seven attempts in 18 hours, and kept for 30 days.
/// The importer-apis that have a `WEBHOOK_URL` deliver it as if it were new, with
/// the same id.
#[derive(Debug, Args)]
pub(crate) struct RetryWebhooks {}

impl RetryWebhooks {
    /// # Errors
    /// When the ledger cannot be used.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        let settings = LedgerSettings::read(environment)?;
        let ledger = settings.connect(None).await?;
        let events = ledger.retry_events().await;
        let events = events.map_err(|error| CommandError::ledger(&error))?;
        writeln!(output, "{events} events are sent again")?;
        Ok(())
    }
}
