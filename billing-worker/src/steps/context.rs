use common::ledger::{Ledger, RegisteredImports};
use common::runtime::{Dependency, ride_out};
use contract::{DebtRecord, RowId, RowIdentity};
use tokio_util::sync::CancellationToken;

use crate::row::{Ended, Incoming, Row, RowEnd, Step, StepError};

/// First step: who asks, and for what. Takes a row as its message brings it
/// and gives a valid record; ends a row as INVALID, with the reason.
#[derive(Debug)]
pub struct Context<L> {
    registered: RegisteredImports<L>,
    stop: CancellationToken,
}

impl<L: Ledger> Context<L> {
    /// The step; it asks the ledger which imports are registered.
    pub fn new(ledger: L, stop: CancellationToken) -> Self {
        Self {
            registered: RegisteredImports::new(ledger),
            stop,
        }
    }

    /// A row of a registered import goes by its number, any other one by its
    /// message, as it came.
    async fn identify<T>(&self, row: &mut Row<T>, claimed: Option<RowId>) -> Result<(), StepError> {
        if let Some(id) = claimed {
            let known = ride_out(self.registered.outage(), &self.stop, || {
                self.registered.contain(id)
            })
            .await?;
            if known {
                row.identity = RowIdentity::Row(id);
            }
        }
        Ok(())
    }
}

impl<L: Ledger> Step for Context<L> {
    type In = Incoming;
    type Out = DebtRecord;

    async fn apply(
        &self,
        rows: Vec<Row<Incoming>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<DebtRecord>>, StepError> {
        let mut valid = Vec::with_capacity(rows.len());
        for row in rows {
            let (mut row, Incoming { row: id, record }) = row.take();
            self.identify(&mut row, id).await?;
            match record {
                Ok(record) => valid.push(row.with(record)),
                Err(reason) => ended.end(&row, RowEnd::Invalid(reason)),
            }
        }
        Ok(valid)
    }
}
