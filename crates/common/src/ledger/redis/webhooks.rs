use std::time::Duration;

use async_trait::async_trait;
use contract::RowId;
use redis::{ScriptInvocation, SetExpiry, SetOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::UNDELIVERABLE;
use super::{RedisLedger, keys};
use crate::ledger::{
    EndedSend, EventFigures, GIVEN_UP_KEPT, LedgerError, NewEvent, NotedImport, NotedMail,
    NotedMails, Outbox, SendEnd, StoredEvent, TakenEvent, WebhookLedger,
};

/// Imports of one call of a script.
const IMPORTS_A_CALL: usize = 1_000;

/// An e-mail as it is stored: `["<debt>","<code>"]`, with import and row where
/// it has one.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum StoredMail {
    OfRow(String, String, Uuid, u64),
    OfNone(String, String),
}

fn stored(mail: &NotedMail) -> Result<String, LedgerError> {
    let (debt_id, code) = (mail.debt_id.clone(), mail.code.clone());
    let stored = match mail.row {
        Some(row) => StoredMail::OfRow(debt_id, code, row.import_id, row.row),
        None => StoredMail::OfNone(debt_id, code),
    };
    serde_json::to_string(&stored).map_err(LedgerError::permanent)
}

fn read(stored: &str) -> Result<NotedMail, LedgerError> {
    let (debt_id, code, row) = match serde_json::from_str(stored).map_err(LedgerError::permanent)? {
        StoredMail::OfRow(debt_id, code, import_id, row) => {
            (debt_id, code, Some(RowId { import_id, row }))
        }
        StoredMail::OfNone(debt_id, code) => (debt_id, code, None),
    };
    Ok(NotedMail { debt_id, row, code })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn key_of(what: &str) -> String {
    format!("{}:{what}", keys::WEBHOOKS)
}

#[async_trait]
impl WebhookLedger for RedisLedger {
    async fn note_for_webhooks(&self, lasts: Duration) -> Result<(), LedgerError> {
        let expires = SetExpiry::PX(milliseconds(lasts).max(1));
        let mut pipe = redis::pipe();
        let options = SetOptions::default().with_expiration(expires);
        pipe.set_options(key_of("noting"), 1, options).ignore();
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn note_imports(&self, import_ids: &[Uuid]) -> Result<(), LedgerError> {
        for import_ids in import_ids.chunks(IMPORTS_A_CALL) {
            let mut call = self.webhooks.note_imports.key(keys::WEBHOOKS);
            call.arg(1);
            for import_id in import_ids {
                call.arg(import_id.to_string());
            }
            self.tell_webhooks(&call).await?;
        }
        Ok(())
    }

    async fn noted_imports(&self) -> Result<Vec<NotedImport>, LedgerError> {
        let noted: Vec<(String, String)> = redis::cmd("HGETALL")
            .arg(key_of("imports"))
            .query_async(&mut self.connection.clone())
            .await?;
        let noted = noted.iter().filter_map(|(import_id, told)| {
            Some(NotedImport {
                import_id: import_id.parse().ok()?,
                told: told.parse().ok(),
            })
        });
        Ok(noted.collect())
    }

    async fn tell_of_import(
        &self,
        import_id: Uuid,
        event: Option<&NewEvent>,
        is_last: bool,
    ) -> Result<(), LedgerError> {
        let mut call = self.webhooks.tell_of_import.key(keys::WEBHOOKS);
        call.arg(import_id.to_string()).arg(u8::from(is_last));
        match event {
            Some(event) => with_event(&mut call, event),
            None => call.arg(""),
        };
        self.tell_webhooks(&call).await
    }

    async fn noted_mails(&self, limit: usize) -> Result<NotedMails, LedgerError> {
        let mut call = self.webhooks.first_mails.key(keys::WEBHOOKS);
        call.arg(limit);
        let found: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let Some((waited, mails)) = found.split_first() else {
            return Ok(NotedMails::default());
        };
        let mails = mails.iter().map(|mail| read(mail));
        Ok(NotedMails {
            mails: mails.collect::<Result<_, _>>()?,
            waited: Duration::from_millis(waited.parse().unwrap_or(0)),
        })
    }

    async fn tell_of_mails(
        &self,
        event: &NewEvent,
        mails: &[NotedMail],
    ) -> Result<bool, LedgerError> {
        if mails.is_empty() {
            return Ok(false);
        }
        let mut call = self.webhooks.tell_of_mails.key(keys::WEBHOOKS);
        with_event(&mut call, event);
        for mail in mails {
            call.arg(stored(mail)?);
        }
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    async fn take_events(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<TakenEvent>, LedgerError> {
        let mut call = self.webhooks.take.key(keys::WEBHOOKS);
        call.arg(limit).arg(milliseconds(lease));
        let taken: Vec<(String, String, String, u32)> =
            call.invoke_async(&mut self.connection.clone()).await?;
        let taken = taken.into_iter().map(|(id, kind, body, attempts)| {
            let event = event(&id, kind, body)?;
            Ok(TakenEvent { event, attempts })
        });
        taken.collect()
    }

    async fn end_event(&self, id: Uuid) -> Result<(), LedgerError> {
        let mut call = self.webhooks.end.key(keys::WEBHOOKS);
        call.arg(id.to_string());
        self.tell_webhooks(&call).await
    }

    async fn put_off_event(
        &self,
        id: Uuid,
        attempts: u32,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        let mut call = self.webhooks.put_off.key(keys::WEBHOOKS);
        call.arg(id.to_string())
            .arg(attempts)
            .arg(milliseconds(wait));
        self.tell_webhooks(&call).await
    }

    async fn give_up_event(&self, id: Uuid) -> Result<(), LedgerError> {
        let mut call = self.webhooks.give_up.key(keys::WEBHOOKS);
        call.arg(id.to_string()).arg(milliseconds(GIVEN_UP_KEPT));
        self.tell_webhooks(&call).await
    }

    async fn retry_events(&self) -> Result<u64, LedgerError> {
        let call = self.webhooks.retry.key(keys::WEBHOOKS);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    async fn event_figures(&self) -> Result<EventFigures, LedgerError> {
        let mut pipe = redis::pipe();
        pipe.zcard(key_of("due")).zcard(key_of("given-up"));
        let (waiting, given_up) = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(EventFigures { waiting, given_up })
    }

    async fn adopt_outbox(&self, outbox: &Outbox) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        for import in &outbox.imports {
            let told = import.told.map(|told| told.to_string());
            let import_id = import.import_id.to_string();
            pipe.hset_nx(key_of("imports"), import_id, told.unwrap_or_default())
                .ignore();
        }
        for (place, mail) in outbox.mails.iter().enumerate() {
            // In their order, and all of them long ago.
            pipe.cmd("ZADD").arg(key_of("mails")).arg("NX");
            pipe.arg(place).arg(stored(mail)?).ignore();
        }
        if !pipe.is_empty() {
            pipe.exec_async(&mut connection).await?;
        }
        for stored in &outbox.events {
            let mut call = self.webhooks.adopt_event.key(keys::WEBHOOKS);
            with_event(&mut call, &stored.event);
            call.arg(stored.attempts);
            match stored.due_in {
                Some(due_in) => call.arg(milliseconds(due_in)),
                None => call.arg(-1),
            };
            self.tell_webhooks(&call).await?;
        }
        if !outbox.noting.is_zero() {
            self.note_for_webhooks(outbox.noting).await?;
        }
        Ok(())
    }
}

impl RedisLedger {
    /// Notes an import while it is noted what webhooks are told of.
    pub(super) async fn note_import(&self, import_id: Uuid) -> Result<(), LedgerError> {
        let mut call = self.webhooks.note_imports.key(keys::WEBHOOKS);
        call.arg(0).arg(import_id.to_string());
        self.tell_webhooks(&call).await
    }

    /// Notes the e-mails among these that can never be delivered, unless their
    /// rows are recorded as that: then they are noted. So this comes before that
    /// is recorded, and where a crash comes in between, the repeat finds them
    /// noted, or notes them once more.
    pub(super) async fn note_undeliverable(
        &self,
        ends: &[EndedSend<'_>],
        standing: impl Iterator<Item = &SendEnd>,
    ) -> Result<(), LedgerError> {
        let mails = ends.iter().zip(standing);
        let mails = mails.filter_map(|(ended, end)| match end {
            SendEnd::Undeliverable(reason) => Some(NotedMail {
                debt_id: ended.debt_id.to_owned(),
                row: ended.row,
                code: reason.code.clone().into_owned(),
            }),
            SendEnd::Sent | SendEnd::Superseded => None,
        });
        let mails: Vec<NotedMail> = mails.collect();
        if mails.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        for mail in &mails {
            let (import_id, row) = mail
                .row
                .map_or((Uuid::nil(), 0), |row| (row.import_id, row.row));
            pipe.cmd("GETBIT");
            pipe.arg(keys::bitmap(import_id, UNDELIVERABLE)).arg(row);
        }
        let are_known: Vec<bool> = pipe.query_async(&mut self.connection.clone()).await?;
        let mut call = self.webhooks.note_mails.key(keys::WEBHOOKS);
        for (mail, _) in mails
            .iter()
            .zip(are_known)
            .filter(|(_, is_known)| !is_known)
        {
            call.arg(stored(mail)?);
        }
        self.tell_webhooks(&call).await
    }

    /// What is still to be told; see [`Outbox`].
    pub(super) async fn whole_outbox(&self) -> Result<Outbox, LedgerError> {
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        pipe.pttl(key_of("noting"));
        pipe.cmd("ZRANGE").arg(key_of("mails")).arg(0).arg(-1);
        let (left, mails): (i64, Vec<String>) = pipe.query_async(&mut connection).await?;
        let call = self.webhooks.events.key(keys::WEBHOOKS);
        let events: Vec<(String, String, String, u32, i64)> =
            call.invoke_async(&mut connection).await?;
        let events = events.into_iter().map(|(id, kind, body, attempts, due)| {
            Ok(StoredEvent {
                event: event(&id, kind, body)?,
                attempts,
                due_in: u64::try_from(due).ok().map(Duration::from_millis),
            })
        });
        let mails = mails.iter().map(|mail| read(mail));
        Ok(Outbox {
            noting: Duration::from_millis(u64::try_from(left).unwrap_or(0)),
            imports: self.noted_imports().await?,
            mails: mails.collect::<Result<_, _>>()?,
            events: events.collect::<Result<_, LedgerError>>()?,
        })
    }

    /// Makes a call whose answer says nothing.
    async fn tell_webhooks(&self, call: &ScriptInvocation<'_>) -> Result<(), LedgerError> {
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }
}

/// Adds id, kind and body.
fn with_event<'a, 'b>(
    call: &'b mut ScriptInvocation<'a>,
    event: &NewEvent,
) -> &'b mut ScriptInvocation<'a> {
    call.arg(event.id.to_string())
        .arg(&event.kind)
        .arg(&event.body)
}

fn event(id: &str, kind: String, body: String) -> Result<NewEvent, LedgerError> {
    let id = id.parse().map_err(LedgerError::permanent)?;
    Ok(NewEvent { id, kind, body })
}
