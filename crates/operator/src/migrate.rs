use std::io::Write;

use clap::Args;
use common::ledger::{LedgerSettings, migrate};
use common::runtime::Environment;

use crate::error::CommandError;

/// Bring the tables of a ledger in PostgreSQL up to date.
///
/// The services do this at start where their user may. Where it may not, run
/// this first, with LEDGER_URL of a user that may create and alter tables. It
/// may be repeated, and services may run meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Migrate {}

impl Migrate {
    /// # Errors
    /// When the ledger is not in PostgreSQL, does not answer, or refuses.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        match LedgerSettings::read(environment)? {
            LedgerSettings::Postgres(settings) => migrate(&settings).await?,
            LedgerSettings::Redis(_) => {
                return Err(CommandError::NotDone(
                    "LEDGER_URL names no PostgreSQL; Redis has no tables".into(),
                ));
            }
        }
        writeln!(output, "The tables are up to date.")?;
        Ok(())
    }
}
