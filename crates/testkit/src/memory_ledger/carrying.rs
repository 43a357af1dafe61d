use std::cmp::Reverse;
use std::time::Duration;

use async_trait::async_trait;
use common::ledger::{CarrierLedger, Carrying, Checkpoint, ImportLease, LedgerError, TakenImport};
use jiff::Timestamp;
use uuid::Uuid;

use super::imports::Import;
use super::{MemoryLedger, State};

impl Import {
    /// Lets the lease end after that time; none where there is no time.
    fn lease_ends(&mut self, after: Option<Duration>) {
        self.status.carried_until = self.carriage.ends_after(after);
    }
}

impl State {
    /// The import that the attempt is to take next.
    fn next(&self, spool: &str, attempt: Uuid) -> Option<Uuid> {
        let open = || {
            let imports = self.imports.iter();
            imports.filter(|(_, import)| {
                import.status.import.spool == spool && import.status.sent_at.is_none()
            })
        };
        let client = |import: &Import| import.status.import.client.clone();
        let carried = |of: &str| {
            let held = open().filter(|(_, import)| import.carriage.is_held());
            held.filter(|(_, import)| client(import) == of).count()
        };
        let free = open().filter(|(_, import)| import.carriage.is_free_for(attempt));
        let next = free.min_by_key(|(id, import)| {
            let was_lost = import.carriage.was_held();
            (Reverse(was_lost), carried(&client(import)), **id)
        });
        next.map(|(id, _)| *id)
    }

    /// The import, where that lease of it is the last.
    fn carried(&mut self, lease: &ImportLease) -> Option<&mut Import> {
        let import = self.imports.get_mut(&lease.import_id)?;
        (import.carriage.epoch == lease.epoch).then_some(import)
    }

    /// The same, where its sending goes on.
    fn sending(&mut self, lease: &ImportLease) -> Option<&mut Import> {
        let import = self.carried(lease)?;
        import.status.sent_at.is_none().then_some(import)
    }
}

#[async_trait]
impl CarrierLedger for MemoryLedger {
    async fn take_import(
        &self,
        spool: &str,
        attempt: Uuid,
        lasts: Duration,
    ) -> Result<Option<TakenImport>, LedgerError> {
        self.call(|state| {
            let import_id = state.next(spool, attempt)?;
            let import = state.imports.get_mut(&import_id)?;
            import.carriage.begin(attempt);
            import.lease_ends(Some(lasts));
            Some(TakenImport {
                lease: ImportLease {
                    import_id,
                    epoch: import.carriage.epoch,
                },
                from: Checkpoint {
                    rows: import.status.sent,
                    offset: import.status.offset,
                },
            })
        })
        .await
    }

    async fn renew_imports(
        &self,
        leases: &[ImportLease],
        lasts: Duration,
    ) -> Result<Vec<bool>, LedgerError> {
        self.call_each(leases, |state, lease| {
            let import = state.sending(lease);
            import
                .map(|import| import.lease_ends(Some(lasts)))
                .is_some()
        })
        .await
    }

    async fn give_back(&self, lease: &ImportLease, after: Duration) -> Result<(), LedgerError> {
        self.call(|state| {
            if let Some(import) = state.sending(lease) {
                import.lease_ends((!after.is_zero()).then_some(after));
            }
        })
        .await
    }

    async fn end_leases(&self, spool: &str) -> Result<(), LedgerError> {
        self.call(|state| {
            let imports = state.imports.values_mut();
            for import in imports.filter(|import| import.status.import.spool == spool) {
                import.lease_ends(None);
            }
        })
        .await
    }

    async fn record_sent(
        &self,
        lease: &ImportLease,
        sent: Checkpoint,
        sent_at: Option<Timestamp>,
    ) -> Result<Carrying, LedgerError> {
        self.call(|state| {
            let Some(import) = state.carried(lease) else {
                return Carrying::TakenOver;
            };
            import.status.sent = sent.rows;
            import.status.offset = sent.offset;
            if sent_at.is_some() {
                import.status.sent_at = import.status.sent_at.or(sent_at);
                import.status.abandoned_at = None;
                import.lease_ends(None);
            }
            if import.status.cancelled_at.is_some() {
                Carrying::Cancelled
            } else {
                Carrying::GoesOn
            }
        })
        .await
    }

    async fn record_failure(
        &self,
        lease: &ImportLease,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.call(|state| {
            let Some(import) = state.carried(lease) else {
                return false;
            };
            import.status.failure = Some(reason.to_owned());
            import.status.sent_at.get_or_insert(now);
            import.failed_at.get_or_insert(now);
            import.lease_ends(None);
            true
        })
        .await
    }

    async fn uncarried_imports(&self, spool: &str) -> Result<Vec<Uuid>, LedgerError> {
        self.call(|state| {
            let imports = state.imports.iter();
            let free = imports.filter(|(_, import)| {
                let status = &import.status;
                status.import.spool == spool
                    && status.sent_at.is_none()
                    && !import.carriage.is_held()
            });
            free.map(|(id, _)| *id).collect()
        })
        .await
    }
}
