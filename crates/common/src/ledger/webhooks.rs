//! What is told to others: what is to be told of is noted, becomes events, and
//! these are delivered.

use std::time::Duration;

use async_trait::async_trait;
use auto_impl::auto_impl;
use contract::RowId;
use uuid::Uuid;

use super::LedgerError;
use crate::runtime::Dependency;

/// For so long an event is kept that was given up.
pub const GIVEN_UP_KEPT: Duration = Duration::from_hours(30 * 24);

/// An event that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The event, by which its receiver knows it again.
    pub id: Uuid,
    /// What kind of event it is.
    pub kind: String,
    /// What is delivered, the same in each attempt.
    pub body: String,
}

/// An event that was taken to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenEvent {
    /// The event.
    pub event: NewEvent,
    /// How often its delivery has failed.
    pub attempts: u32,
}

/// An import of which something is still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedImport {
    /// The import.
    pub import_id: Uuid,
    /// The event that was stored of it last.
    pub told: Option<Uuid>,
}

/// An e-mail that can never be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedMail {
    /// Its debt.
    pub debt_id: String,
    /// The row of a registered import that it was sent for, if any.
    pub row: Option<RowId>,
    /// The code of the reason.
    pub code: String,
}

/// E-mails of which nobody is told yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotedMails {
    /// Those that were noted first.
    pub mails: Vec<NotedMail>,
    /// How long the first of them waits.
    pub waited: Duration,
}

/// How many events the ledger keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFigures {
    /// Those that are to be delivered.
    pub waiting: u64,
    /// Those that were given up within [`GIVEN_UP_KEPT`].
    pub given_up: u64,
}

/// An event as another ledger takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event.
    pub event: NewEvent,
    /// How often its delivery has failed.
    pub attempts: u32,
    /// How long until it is due, or `None` where it was given up.
    pub due_in: Option<Duration>,
}

/// All that is to be told, as another ledger takes it over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// For how long it is noted what is to be told of.
    pub noting: Duration,
    /// The imports of which something is still to be told.
    pub imports: Vec<NotedImport>,
    /// The e-mails of which nobody is told yet.
    pub mails: Vec<NotedMail>,
    /// The events.
    pub events: Vec<StoredEvent>,
}

/// What webhooks are told of. Times are those of the ledger's own clock.
///
/// While it [is noted](Self::note_for_webhooks) what is to be told of, an import
/// that is registered or opened again is noted, and so is each e-mail that comes
/// to its end as undeliverable, by whichever process does that. Where it is not,
/// nothing is kept.
#[async_trait]
#[auto_impl(Arc)]
pub trait WebhookLedger: Dependency + Send + Sync {
    /// Lets it be noted for that long from now on what is to be told of.
    async fn note_for_webhooks(&self, lasts: Duration) -> Result<(), LedgerError>;

    /// Notes imports, whatever their state is; those that are noted stay as they
    /// are.
    async fn note_imports(&self, import_ids: &[Uuid]) -> Result<(), LedgerError>;

    /// The imports of which something is still to be told.
    async fn noted_imports(&self) -> Result<Vec<NotedImport>, LedgerError>;

    /// Stores an event of an import that is noted, unless it is the one that was
    /// stored last; after the last one the import is noted no more. All of it
    /// happens or nothing, so of many that tell the same at once one does.
    async fn tell_of_import(
        &self,
        import_id: Uuid,
        event: Option<&NewEvent>,
        is_last: bool,
    ) -> Result<(), LedgerError>;

    /// The first e-mails of which nobody is told yet, at most `limit`.
    async fn noted_mails(&self, limit: usize) -> Result<NotedMails, LedgerError>;

    /// Stores an event of e-mails, which are noted no more then. All of it
    /// happens or nothing: gives `false` where one of them is not noted.
    async fn tell_of_mails(
        &self,
        event: &NewEvent,
        mails: &[NotedMail],
    ) -> Result<bool, LedgerError>;

    /// Takes the events that are due, those first that have been for longest, at
    /// most `limit`. They are due again after `lease`, unless whoever took them
    /// says something else.
    async fn take_events(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<TakenEvent>, LedgerError>;

    /// Records that an event was delivered: it is gone.
    async fn end_event(&self, id: Uuid) -> Result<(), LedgerError>;

    /// Records that the delivery of an event has failed so often, and that it is
    /// due after that wait. One that is gone or was given up stays so.
    async fn put_off_event(
        &self,
        id: Uuid,
        attempts: u32,
        wait: Duration,
    ) -> Result<(), LedgerError>;

    /// Gives an event up: it is kept for [`GIVEN_UP_KEPT`], and not due.
    async fn give_up_event(&self, id: Uuid) -> Result<(), LedgerError>;

    /// Lets all events that were given up be due at once, as if they were new.
    /// Gives how many.
    async fn retry_events(&self) -> Result<u64, LedgerError>;

    /// How many events there are.
    async fn event_figures(&self) -> Result<EventFigures, LedgerError>;

    /// Takes over what another ledger has to tell. What is known already stays.
    async fn adopt_outbox(&self, outbox: &Outbox) -> Result<(), LedgerError>;
}
