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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common::ledger::{Channel, ChannelLedger, EndedSend, SendEnd};
    use common::runtime::AppRegistry;
    use contract::{Reason, RowId};
    use testkit::{
        FaultPlan, MemoryLedger, bill_rows, for_each_seed, new_import, record_sent, tell_rows,
    };
    use tokio::time::timeout;

    use super::*;

    const IMPORTS: u128 = 6;

    fn watcher(ledger: SharedLedger) -> Watcher {
        let metrics = ImporterMetrics::new(&AppRegistry::new("test").unwrap()).unwrap();
        Watcher {
            ledger,
            metrics,
            waiting: IntGauge::new("waiting", "waiting").unwrap(),
            pace: WebhookPace {
                mails: Duration::ZERO,
                ..WebhookPace::default()
            },
            stop: CancellationToken::new(),
        }
    }

    /// An import of one row, whose e-mail can never be delivered.
    async fn undeliverable(ledger: &MemoryLedger, import_id: Uuid) {
        ledger
            .register_import(&new_import(import_id, 1))
            .await
            .unwrap();
        record_sent(ledger, import_id, 1, Some(Timestamp::now())).await;
        let row = RowId { import_id, row: 1 };
        bill_rows(ledger, &[row]).await;
        tell_rows(ledger, &[row]).await;
        let reason = Reason {
            code: "mailbox_refused".into(),
            text: "550".into(),
        };
        let ended = EndedSend {
            debt_id: &row.to_string(),
            row: Some(row),
            end: SendEnd::Undeliverable(reason),
        };
        ledger.end_sends(Channel::MAIL, &[ended]).await.unwrap();
    }

    /// Watchers of two replicas, calls that fail or whose answer is lost, and
    /// watchers that are killed at any await: each import and each e-mail is in
    /// one event.
    async fn tells_each_once(seed: u64) {
        let ledger = MemoryLedger::default();
        ledger.note_for_webhooks(NOTED_FOR).await.unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        for number in 1..=IMPORTS {
            undeliverable(&ledger, Uuid::from_u128(number)).await;
            let looks = [(); 2].map(|()| {
                let faulty = ledger.with_faults(FaultPlan::new(random.u64(..)));
                let killed_after = Duration::from_millis(random.u64(0..200));
                async move {
                    let watcher = watcher(Arc::new(faulty));
                    let mut asked = None;
                    drop(timeout(killed_after, watcher.look(&mut asked)).await);
                }
            });
            let [first, second] = looks;
            tokio::join!(first, second);
        }
        watcher(Arc::new(ledger.clone()))
            .look(&mut None)
            .await
            .unwrap();
        let (mut imports, mut mails) = (Vec::new(), Vec::new());
        for taken in ledger.take_events(100, NOTED_FOR).await.unwrap() {
            let event: serde_json::Value = serde_json::from_str(&taken.event.body).unwrap();
            let id = |value: &serde_json::Value| -> Uuid {
                value["import_id"].as_str().unwrap().parse().unwrap()
            };
            match event["data"]["mails"].as_array() {
                Some(of_event) => mails.extend(of_event.iter().map(id)),
                None => imports.push(id(&event["data"])),
            }
        }
        imports.sort_unstable();
        mails.sort_unstable();
        let expected: Vec<Uuid> = (1..=IMPORTS).map(Uuid::from_u128).collect();
        assert_eq!((&imports, &mails), (&expected, &expected));
        assert_eq!(ledger.noted_imports().await.unwrap(), []);
    }

    #[test]
    fn each_import_and_each_mail_is_told_of_once_whoever_is_killed() {
        for_each_seed(200, |seed| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(tells_each_once(seed));
        });
    }
}
