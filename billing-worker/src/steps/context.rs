use boleto::DocumentType;
use common::contract::{DebtRecord, InvalidReason, RecordReader, RowIdentity};
use common::ledger::{Ledger, RegisteredImports};
use common::messaging::Delivery;
use common::outage::{Dependency, ride_out};
use tokio_util::sync::CancellationToken;

use crate::row::{Ended, Row, RowEnd, Step, StepError};

/// First step: who asks, and for what. Takes a message and gives a valid
/// record; ends a row as INVALID, with the reason.
#[derive(Debug)]
pub struct Context<L> {
    registered: RegisteredImports<L>,
    strict_documents: bool,
    stop: CancellationToken,
}

impl<L: Ledger> Context<L> {
    /// The step; it asks the ledger which imports are registered. With strict
    /// documents a record needs a valid CPF or CNPJ.
    pub fn new(ledger: L, strict_documents: bool, stop: CancellationToken) -> Self {
        Self {
            registered: RegisteredImports::new(ledger),
            strict_documents,
            stop,
        }
    }

    fn admit(&self, record: DebtRecord) -> Result<DebtRecord, InvalidReason> {
        let unverified = || DocumentType::of(&record.government_id) == DocumentType::Unverified;
        if self.strict_documents && unverified() {
            Err(InvalidReason::GovernmentIdInvalid)
        } else {
            Ok(record)
        }
    }

    /// A row of a registered import goes by its number, any other one by its
    /// message.
    async fn identity(&self, message: &Delivery) -> Result<RowIdentity, StepError> {
        if let Some(row) = message.row {
            let known = ride_out(self.registered.outage(), &self.stop, || {
                self.registered.contain(row)
            })
            .await?;
            if known {
                return Ok(RowIdentity::Row(row));
            }
        }
        Ok(RowIdentity::Message(message.id.clone()))
    }
}

impl<L: Ledger> Step for Context<L> {
    type In = Delivery;
    type Out = DebtRecord;

    async fn apply(
        &self,
        rows: Vec<Row<Delivery>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<DebtRecord>>, StepError> {
        let mut reader = RecordReader::default();
        let mut valid = Vec::with_capacity(rows.len());
        for mut row in rows {
            row.identity = self.identity(&row.value).await?;
            let record = reader.read(&row.value.body);
            match record.and_then(|record| self.admit(record)) {
                Ok(record) => valid.push(row.with(record)),
                Err(reason) => ended.end(&row, RowEnd::Invalid(reason)),
            }
        }
        Ok(valid)
    }
}
