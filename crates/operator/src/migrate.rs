//! Brings the tables of a ledger to the version of this program.

use std::io::Write;

use clap::Args;
use common::ledger::{self, LedgerSettings};
use common::runtime::Environment;

use crate::error::CommandError;

/// Make or change the tables of a ledger in PostgreSQL, for services whose
/// user may not.
///
/// `LEDGER_URL` names the ledger, with a user who may. Tables that are of this
/// version stay as they are.
#[derive(Debug, Args)]
pub(crate) struct Migrate {}

impl Migrate {
    /// # Errors
    /// When the server cannot be used, and when the user may not.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        let LedgerSettings::Postgres(settings) = LedgerSettings::read(environment)? else {
            return Err(CommandError::NotDone(
                "only a ledger in PostgreSQL has tables: set LEDGER_URL".to_owned(),
            ));
        };
        ledger::migrate(&settings).await?;
        writeln!(output, "The tables are of this version.")?;
        Ok(())
    }
}
