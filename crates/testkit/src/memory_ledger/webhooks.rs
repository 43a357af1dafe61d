use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use common::ledger::{
    EventFigures, LedgerError, NewEvent, NotedImport, NotedMail, NotedMails, Outbox, TakenEvent,
    WebhookLedger,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{MemoryLedger, State};

/// What webhooks are told of.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    noted_until: Option<Instant>,
    imports: BTreeMap<Uuid, Option<Uuid>>,
    mails: Vec<(NotedMail, Instant)>,
    events: BTreeMap<Uuid, Kept>,
}

#[derive(Debug)]
struct Kept {
    event: NewEvent,
    attempts: u32,
    /// `None` where it was given up.
    due: Option<Instant>,
}

impl Webhooks {
    fn is_noting(&self) -> bool {
        self.noted_until.is_some_and(|until| until > Instant::now())
    }

    pub(super) fn note_import(&mut self, import_id: Uuid) {
        if self.is_noting() {
            self.imports.entry(import_id).or_default();
        }
    }

    pub(super) fn note_mail(&mut self, mail: NotedMail) {
        if self.is_noting() {
            self.mails.push((mail, Instant::now()));
        }
    }

    fn store(&mut self, event: &NewEvent, attempts: u32, due: Option<Instant>) {
        let stored = self.events.entry(event.id);
        stored.or_insert_with(|| Kept {
            event: event.clone(),
            attempts,
            due,
        });
    }
}

impl MemoryLedger {
    async fn tell<T: Send>(
        &self,
        mut effect: impl FnMut(&mut Webhooks) -> T + Send,
    ) -> Result<T, LedgerError> {
        self.call(|state: &mut State| effect(&mut state.webhooks))
            .await
    }
}

#[async_trait]
impl WebhookLedger for MemoryLedger {
    async fn note_for_webhooks(&self, lasts: Duration) -> Result<(), LedgerError> {
        self.tell(|webhooks| webhooks.noted_until = Some(Instant::now() + lasts))
            .await
    }

    async fn note_imports(&self, import_ids: &[Uuid]) -> Result<(), LedgerError> {
        self.tell(|webhooks| {
            for import_id in import_ids {
                webhooks.imports.entry(*import_id).or_default();
            }
        })
        .await
    }

    async fn noted_imports(&self) -> Result<Vec<NotedImport>, LedgerError> {
        self.tell(|webhooks| {
            let noted = webhooks.imports.iter();
            let noted = noted.map(|(import_id, told)| NotedImport {
                import_id: *import_id,
                told: *told,
            });
            noted.collect()
        })
        .await
    }

    async fn tell_of_import(
        &self,
        import_id: Uuid,
        event: Option<&NewEvent>,
        is_last: bool,
    ) -> Result<(), LedgerError> {
        self.tell(|webhooks| {
            let Some(told) = webhooks.imports.get_mut(&import_id) else {
                return;
            };
            let new = event.filter(|event| *told != Some(event.id));
            if let Some(event) = new {
                *told = Some(event.id);
                webhooks.store(event, 0, Some(Instant::now()));
            }
            if is_last {
                webhooks.imports.remove(&import_id);
            }
        })
        .await
    }

    async fn noted_mails(&self, limit: usize) -> Result<NotedMails, LedgerError> {
        self.tell(|webhooks| {
            let first = webhooks.mails.first();
            let mails = webhooks.mails.iter().take(limit);
            NotedMails {
                waited: first.map_or(Duration::ZERO, |(_, noted)| noted.elapsed()),
                mails: mails.map(|(mail, _)| mail.clone()).collect(),
            }
        })
        .await
    }

    async fn tell_of_mails(
        &self,
        event: &NewEvent,
        mails: &[NotedMail],
    ) -> Result<bool, LedgerError> {
        self.tell(|webhooks| {
            let is_noted = |mail| webhooks.mails.iter().any(|(noted, _)| noted == mail);
            if mails.is_empty() || !mails.iter().all(is_noted) {
                return false;
            }
            webhooks.mails.retain(|(noted, _)| !mails.contains(noted));
            webhooks.store(event, 0, Some(Instant::now()));
            true
        })
        .await
    }

    async fn take_events(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<TakenEvent>, LedgerError> {
        self.tell(|webhooks| {
            let now = Instant::now();
            let due = webhooks.events.values_mut();
            let mut due: Vec<_> = due
                .filter(|event| event.due.is_some_and(|due| due <= now))
                .collect();
            due.sort_by_key(|event| event.due);
            let taken = due.into_iter().take(limit).map(|event| {
                event.due = Some(now + lease);
                TakenEvent {
                    event: event.event.clone(),
                    attempts: event.attempts,
                }
            });
            taken.collect()
        })
        .await
    }

    async fn end_event(&self, id: Uuid) -> Result<(), LedgerError> {
        self.tell(|webhooks| drop(webhooks.events.remove(&id)))
            .await
    }

    async fn put_off_event(
        &self,
        id: Uuid,
        attempts: u32,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        self.tell(|webhooks| {
            let event = webhooks.events.get_mut(&id);
            if let Some(event) = event.filter(|event| event.due.is_some()) {
                event.attempts = attempts;
                event.due = Some(Instant::now() + wait);
            }
        })
        .await
    }

    async fn give_up_event(&self, id: Uuid) -> Result<(), LedgerError> {
        self.tell(|webhooks| {
            if let Some(event) = webhooks.events.get_mut(&id) {
                event.due = None;
            }
        })
        .await
    }

    async fn retry_events(&self) -> Result<u64, LedgerError> {
        self.tell(|webhooks| {
            let given_up = webhooks.events.values_mut();
            let given_up = given_up.filter(|event| event.due.is_none());
            let retried = given_up.map(|event| {
                event.due = Some(Instant::now());
                event.attempts = 0;
            });
            retried.count() as u64
        })
        .await
    }

    async fn event_figures(&self) -> Result<EventFigures, LedgerError> {
        self.tell(|webhooks| {
            let given_up = webhooks.events.values().filter(|event| event.due.is_none());
            let given_up = given_up.count() as u64;
            EventFigures {
                waiting: webhooks.events.len() as u64 - given_up,
                given_up,
            }
        })
        .await
    }

    async fn adopt_outbox(&self, outbox: &Outbox) -> Result<(), LedgerError> {
        self.tell(|webhooks| {
            let now = Instant::now();
            for noted in &outbox.imports {
                webhooks
                    .imports
                    .entry(noted.import_id)
                    .or_insert(noted.told);
            }
            for mail in &outbox.mails {
                if !webhooks.mails.iter().any(|(noted, _)| noted == mail) {
                    webhooks.mails.push((mail.clone(), now));
                }
            }
            for stored in &outbox.events {
                let due = stored.due_in.map(|due_in| now + due_in);
                webhooks.store(&stored.event, stored.attempts, due);
            }
            webhooks.noted_until = webhooks.noted_until.max(Some(now + outbox.noting));
        })
        .await
    }
}
