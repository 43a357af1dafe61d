//! Makes events of what the ledger has noted.

use std::collections::HashSet;
use std::time::Duration;

use common::ledger::{
    ImportLedger, ImportStatus, LedgerError, NotedImport, SharedLedger, WebhookLedger,
};
use common::runtime::wait;
use jiff::Timestamp;
use prometheus::IntGauge;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

use super::event;
use super::settings::WebhookPace;
use crate::ImporterMetrics;
use crate::progress::observe;
use crate::spool::is_older;

/// So many times as long as a look takes is the time to the next one, as every
/// replica looks at all imports that are noted.
const LOOKS_APART: u32 = 4;
/// For so long the ledger notes what is to be told of after the last replica
/// that tells has stopped; and how often it is asked to.
const NOTED_FOR: Duration = Duration::from_hours(7 * 24);
const ASKED_EVERY: Duration = Duration::from_mins(1);
/// An import that is noted for longer and that the ledger does not know was
/// never registered, or is forgotten.
const KNOWN_AFTER: Duration = Duration::from_hours(1);
/// Most e-mails of an event.
const MAILS_AN_EVENT: usize = 500;

#[derive(Debug, Error)]
enum WatchError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("an event cannot be written: {0}")]
    Event(#[from] serde_json::Error),
}

/// Looks at what is noted, and stores events of it.
pub(super) struct Watcher {
    pub(super) ledger: SharedLedger,
    pub(super) metrics: ImporterMetrics,
    pub(super) waiting: IntGauge,
    pub(super) pace: WebhookPace,
    pub(super) stop: CancellationToken,
}

impl Watcher {
    /// Looks until told to stop.
    pub(super) async fn run(self) {
        let (mut asked, mut pause) = (None, Duration::ZERO);
        while wait(pause, &self.stop).await.is_ok() {
            let begun = Instant::now();
            if let Err(error) = self.look(&mut asked).await {
                debug!(%error, "It cannot be looked at what webhooks are told of");
            }
            pause = self.pace.look.max(begun.elapsed() * LOOKS_APART);
        }
    }

    async fn look(&self, asked: &mut Option<Instant>) -> Result<(), WatchError> {
        if asked.is_none_or(|asked| asked.elapsed() >= ASKED_EVERY) {
            self.ledger.note_for_webhooks(NOTED_FOR).await?;
            *asked = Some(Instant::now());
        }
        for noted in self.noted().await? {
            self.look_at(&noted).await?;
        }
        self.tell_of_mails().await?;
        let figures = self.ledger.event_figures().await?;
        self.waiting
            .set(i64::try_from(figures.waiting).unwrap_or(i64::MAX));
        Ok(())
    }

    /// The imports of which something is to be told: also those that were open
    /// before there was a receiver.
    async fn noted(&self) -> Result<Vec<NotedImport>, LedgerError> {
        let mut noted = self.ledger.noted_imports().await?;
        let known: HashSet<Uuid> = noted.iter().map(|noted| noted.import_id).collect();
        let open = self.ledger.open_imports().await?;
        let new: Vec<Uuid> = open.into_iter().filter(|id| !known.contains(id)).collect();
        self.ledger.note_imports(&new).await?;
        noted.extend(new.into_iter().map(|import_id| NotedImport {
            import_id,
            told: None,
        }));
        Ok(noted)
    }

    async fn look_at(&self, noted: &NotedImport) -> Result<(), WatchError> {
        let (import_id, now) = (noted.import_id, Timestamp::now());
        let mut status = observe(&self.ledger, &self.metrics, import_id, now).await?;
        if status.as_ref().is_some_and(ImportStatus::is_over) {
            // With the times that are recorded, whoever saw its end first.
            status = self.ledger.import_status(import_id).await?;
        }
        let (event, is_last) = match &status {
            Some(status) => (event::of_import(status, now)?, status.is_over()),
            None => (None, is_older(import_id, KNOWN_AFTER)),
        };
        let is_new = event
            .as_ref()
            .is_some_and(|event| noted.told != Some(event.id));
        if is_new || is_last {
            self.ledger
                .tell_of_import(import_id, event.as_ref(), is_last)
                .await?;
        }
        Ok(())
    }

    async fn tell_of_mails(&self) -> Result<(), WatchError> {
        loop {
            let noted = self.ledger.noted_mails(MAILS_AN_EVENT).await?;
            let is_full = noted.mails.len() == MAILS_AN_EVENT;
            if noted.mails.is_empty() || !is_full && noted.waited < self.pace.mails {
                return Ok(());
            }
            let event = event::of_mails(&noted.mails, Timestamp::now())?;
            self.ledger.tell_of_mails(&event, &noted.mails).await?;
        }
    }
}
