use std::io::Write;

use clap::Args;
use common::ledger::{Audit as Proof, LedgerSettings};
use common::runtime::Environment;
use uuid::Uuid;

use crate::error::CommandError;

/// Prove the outcome of every row of an import from the ledger.
///
/// Looks at every row, prints the laws that its outcomes keep, and names the
/// rows that break one. The exit code is 0 if the import is at its end and
/// every law holds.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The import, as the upload answered.
    #[arg(long)]
    import: Uuid,
}

impl Audit {
    /// Prints the proof.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        let settings = LedgerSettings::read(environment)?;
        let ledger = settings.connect(None).await?;
        let proof = Proof::of(&ledger, self.import)
            .await
            .map_err(|error| CommandError::ledger(&error))?;
        let proof = proof.ok_or_else(|| {
            CommandError::NotDone(format!(
                "the ledger knows no import {}; GET /v1/imports lists them",
                self.import
            ))
        })?;
        write!(output, "{proof}")?;
        if proof.holds() {
            Ok(())
        } else if proof.waits() {
            Err(CommandError::NotDone(
                "the import is not at its end: it waits for a mail server, and goes on by itself"
                    .into(),
            ))
        } else {
            Err(CommandError::NotDone(
                "the audit does not hold; if nothing moves any more, reconcile the import".into(),
            ))
        }
    }
}
