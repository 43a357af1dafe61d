use std::time::Duration;

use async_trait::async_trait;
use common::ledger::{
    ChannelCounts, ImportLedger, ImportStatus, KeyedUpload, LedgerError, NewImport, Observed,
    OutcomeCounts, PutOffRows, RowFacts,
};
use contract::RowId;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::carriage::Carriage;
use super::{MemoryLedger, State};

/// What is kept of an import; its counts are counted when somebody asks.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) status: ImportStatus,
    /// The figures when somebody last looked at them.
    figures: [u64; 5],
    /// When it failed first.
    pub(super) failed_at: Option<Timestamp>,
    pub(super) carriage: Carriage,
}

impl Import {
    fn new(import: NewImport) -> Self {
        let status = ImportStatus {
            progressed_at: import.accepted_at,
            import,
            sent: 0,
            offset: 0,
            sent_at: None,
            cancelled_at: None,
            abandoned_at: None,
            failure: None,
            waited_at: None,
            carried_until: None,
            finished_at: None,
            erasure: None,
            counts: OutcomeCounts::default(),
            put_off: PutOffRows::default(),
            channels: Vec::new(),
        };
        Self {
            status,
            figures: [0; 5],
            failed_at: None,
            carriage: Carriage::default(),
        }
    }
}

impl State {
    fn rows_from(&self, import_id: Uuid, first: u64) -> impl Iterator<Item = &RowFacts> + Clone {
        let row = |row| RowId { import_id, row };
        self.rows
            .range(row(first)..=row(u64::MAX))
            .map(|(_, facts)| facts)
    }

    fn status(&self, import_id: Uuid) -> Option<ImportStatus> {
        let status = &self.imports.get(&import_id)?.status;
        let mut counts = OutcomeCounts {
            rows: status.import.rows,
            ..OutcomeCounts::default()
        };
        for facts in self.rows_from(import_id, 0) {
            counts.billed += u64::from(facts.billed);
            counts.skipped += u64::from(facts.skipped);
            counts.invalid += u64::from(facts.invalid);
            counts.notified += u64::from(facts.notified);
            counts.mailed += u64::from(facts.mailed);
            counts.undeliverable += u64::from(facts.undeliverable);
        }
        let stopped = status.cancelled_at.is_some() || status.failure.is_some();
        if stopped && status.sent_at.is_some() {
            let ended = self.rows_from(import_id, status.sent + 1);
            let ended = ended.filter(|row| row.has_ended() && row.row <= status.import.rows);
            counts.not_sent = status.import.rows - status.sent - ended.count() as u64;
        }
        let put_off = self.rows_from(import_id, 0);
        let put_off = put_off.filter_map(|facts| facts.put_off_until);
        Some(ImportStatus {
            counts,
            put_off: PutOffRows {
                rows: put_off.clone().count() as u64,
                first: put_off.clone().min(),
                last: put_off.max(),
            },
            channels: self.channel_counts(import_id),
            ..status.clone()
        })
    }

    /// What further channels have sent, in the order of their names.
    fn channel_counts(&self, import_id: Uuid) -> Vec<ChannelCounts> {
        let of_import = self.sent_rows.iter();
        let of_import = of_import.filter(|((_, row), _)| row.import_id == import_id);
        let mut counts: Vec<ChannelCounts> = Vec::new();
        for ((channel, _), is_sent) in of_import {
            if counts
                .last()
                .is_none_or(|last| last.channel != channel.name())
            {
                counts.push(ChannelCounts {
                    channel: channel.name().to_owned(),
                    sent: 0,
                    undeliverable: 0,
                });
            }
            if let Some(last) = counts.last_mut() {
                last.sent += u64::from(*is_sent);
                last.undeliverable += u64::from(!is_sent);
            }
        }
        counts
    }

    fn observe(&mut self, import_id: Uuid, now: Timestamp) -> Option<Observed> {
        self.forget_late(import_id, now);
        let mut status = self.status(import_id)?;
        if status.has_no_sender(now) {
            let import = self.imports.get_mut(&import_id)?;
            import.status.sent_at = Some(now);
            import.status.abandoned_at = Some(now);
            status = self.status(import_id)?;
        }
        let import = self.imports.get_mut(&import_id)?;
        let figures = status.figures();
        if import.figures != figures {
            import.figures = figures;
            status.progressed_at = now;
        }
        let newly_over = status.is_over() && status.finished_at.is_none();
        if newly_over {
            status.finished_at = Some(now);
        } else if !status.is_over() {
            status.finished_at = None;
        }
        import.status = status.clone();
        Some(Observed { status, newly_over })
    }

    /// What a key stands for, if its time is not over.
    fn keyed(&self, key: &str) -> Option<KeyedUpload> {
        let (upload, until) = self.keys.get(key)?;
        (*until > Instant::now()).then(|| upload.clone())
    }
}

impl MemoryLedger {
    /// Changes an import, if it is known.
    async fn change<T: Default + Send>(
        &self,
        import_id: Uuid,
        mut change: impl FnMut(&mut ImportStatus) -> T + Send,
    ) -> Result<T, LedgerError> {
        self.call(|state| {
            let import = state.imports.get_mut(&import_id);
            import.map_or_else(T::default, |import| change(&mut import.status))
        })
        .await
    }
}

#[async_trait]
impl ImportLedger for MemoryLedger {
    async fn register_import(&self, import: &NewImport) -> Result<bool, LedgerError> {
        self.call(|state| {
            if !state.imports.contains_key(&import.import_id) {
                state.webhooks.note_import(import.import_id);
            }
            let known = state.imports.entry(import.import_id);
            let known = known.or_insert_with(|| Import::new(import.clone()));
            let file = &mut known.status.import;
            if file.spool.is_empty() {
                file.spool.clone_from(&import.spool);
                file.client.clone_from(&import.client);
            }
            known.status.sent_at.is_none()
        })
        .await
    }

    async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError> {
        self.change(import_id, |status| Some(status.import.rows))
            .await
    }

    async fn record_waiting(&self, import_ids: &[Uuid], now: Timestamp) -> Result<(), LedgerError> {
        self.call(|state| {
            for import_id in import_ids {
                if let Some(import) = state.imports.get_mut(import_id) {
                    import.status.waited_at = Some(now);
                }
            }
        })
        .await
    }

    async fn cancel_import(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        self.call(|state| {
            if let Some(import) = state.imports.get_mut(&import_id) {
                import.status.cancelled_at.get_or_insert(now);
                if !import.carriage.is_held() {
                    import.status.sent_at.get_or_insert(now);
                }
            }
        })
        .await
    }

    async fn adopt_import(&self, status: &ImportStatus) -> Result<(), LedgerError> {
        self.register_import(&status.import).await?;
        self.call(|state| {
            if let Some(import) = state.imports.get_mut(&status.import.import_id) {
                import.status = ImportStatus {
                    carried_until: None,
                    ..status.clone()
                };
                import.figures = status.figures();
                import.failed_at = status.failure.as_ref().and(status.sent_at);
                if status.is_being_erased() {
                    state.erasing.insert(status.import.import_id);
                }
            }
        })
        .await
    }

    async fn import_status(&self, import_id: Uuid) -> Result<Option<ImportStatus>, LedgerError> {
        self.call(|state| state.status(import_id)).await
    }

    async fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError> {
        self.call(|state| state.observe(import_id, now)).await
    }

    async fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>, LedgerError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.call(|state| {
            let newest_first = state.imports.keys().rev().copied();
            let older = newest_first.filter(|id| before.is_none_or(|before| *id < before));
            older.take(limit).collect()
        })
        .await
    }

    async fn open_imports(&self) -> Result<Vec<Uuid>, LedgerError> {
        self.call(|state| {
            let open = state.imports.iter();
            let open = open.filter(|(_, import)| import.status.finished_at.is_none());
            open.map(|(id, _)| *id).collect()
        })
        .await
    }

    async fn failed_imports(&self, since: Timestamp) -> Result<u64, LedgerError> {
        self.call(|state| {
            let times = state.imports.values().filter_map(|import| import.failed_at);
            times.filter(|time| *time >= since).count() as u64
        })
        .await
    }

    async fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> Result<KeyedUpload, LedgerError> {
        self.call(|state| {
            state.keyed(key).unwrap_or_else(|| {
                let until = Instant::now() + kept;
                state.keys.insert(key.to_owned(), (upload.clone(), until));
                upload.clone()
            })
        })
        .await
    }

    async fn keyed_upload(&self, key: &str) -> Result<Option<KeyedUpload>, LedgerError> {
        self.call(|state| state.keyed(key)).await
    }
}
