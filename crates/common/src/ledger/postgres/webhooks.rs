use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, columns, row_id, text};
use super::time::{count, milliseconds};
use crate::ledger::{
    EventFigures, GIVEN_UP_KEPT, LedgerError, NewEvent, NotedImport, NotedMail, NotedMails, Outbox,
    TakenEvent, WebhookLedger,
};

/// Whether it is noted what webhooks are told of.
macro_rules! is_noting {
    () => {
        "EXISTS (SELECT FROM webhooks WHERE noted_until > clock_timestamp())"
    };
}
pub(super) use is_noting;

const NOTE: &str = "
    INSERT INTO webhooks (id, noted_until)
    VALUES (true, clock_timestamp() + $1::bigint * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET noted_until = excluded.noted_until
";

const NOTE_IMPORTS: &str = "
    INSERT INTO webhook_imports (import_id, told)
    SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS noted (i, t) ORDER BY i
    ON CONFLICT DO NOTHING
";

const NOTED_IMPORTS: &str = "SELECT import_id, told FROM webhook_imports";

const TELL: &str = "
    WITH told AS (
        UPDATE webhook_imports SET told = $2
        WHERE import_id = $1 AND told IS DISTINCT FROM $2
        RETURNING import_id
    )
    INSERT INTO webhook_events (id, kind, body) SELECT $2, $3, $4 FROM told
    ON CONFLICT DO NOTHING
";

/// The last time, where there may be no event.
const TELL_LAST: &str = "
    WITH told AS (DELETE FROM webhook_imports WHERE import_id = $1 RETURNING told)
    INSERT INTO webhook_events (id, kind, body)
    SELECT $2, $3, $4 FROM told WHERE $2::uuid IS NOT NULL AND told IS DISTINCT FROM $2
    ON CONFLICT DO NOTHING
";

const FIRST_MAILS: &str = "
    SELECT debt_id, import_id, row, code,
           (extract(epoch FROM clock_timestamp() - noted_at) * 1000)::bigint
    FROM webhook_mails ORDER BY noted_at, debt_id LIMIT $1
";

/// Those that are there are locked in the order of their keys, and go where
/// they are all.
const TELL_OF_MAILS: &str = "
    WITH there AS (
        SELECT debt_id FROM webhook_mails WHERE debt_id = ANY($4::bytea[])
        ORDER BY debt_id FOR UPDATE
    ), told AS (
        DELETE FROM webhook_mails
        WHERE debt_id IN (SELECT debt_id FROM there)
          AND (SELECT count(*) FROM there) = cardinality($4)
        RETURNING debt_id
    )
    INSERT INTO webhook_events (id, kind, body)
    SELECT $1, $2, $3 WHERE (SELECT count(*) FROM told) > 0
    ON CONFLICT DO NOTHING
    RETURNING id
";

const TAKE: &str = "
    UPDATE webhook_events SET due = clock_timestamp() + $2::bigint * interval '1 millisecond'
    WHERE id IN (
        SELECT id FROM webhook_events
        WHERE given_up_at IS NULL AND due <= clock_timestamp()
        ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, body, attempts
";

const END: &str = "DELETE FROM webhook_events WHERE id = $1";

const PUT_OFF: &str = "
    UPDATE webhook_events
    SET attempts = $2, due = clock_timestamp() + $3::bigint * interval '1 millisecond'
    WHERE id = $1 AND given_up_at IS NULL
";

const GIVE_UP: &str = "
    UPDATE webhook_events SET given_up_at = clock_timestamp()
    WHERE id = $1 AND given_up_at IS NULL
";

const FORGET_GIVEN_UP: &str = "
    DELETE FROM webhook_events
    WHERE given_up_at <= clock_timestamp() - $1::bigint * interval '1 millisecond'
";

const RETRY: &str = "
    UPDATE webhook_events SET given_up_at = NULL, attempts = 0, due = clock_timestamp()
    WHERE given_up_at IS NOT NULL RETURNING id
";

const FIGURES: &str = "
    SELECT count(*) FILTER (WHERE given_up_at IS NULL), count(given_up_at) FROM webhook_events
";

const ADOPT_MAILS: &str = "
    INSERT INTO webhook_mails (debt_id, import_id, row, code)
    SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::bigint[], $4::text[])
    ON CONFLICT DO NOTHING
";

const ADOPT_EVENT: &str = "
    INSERT INTO webhook_events (id, kind, body, attempts, due, given_up_at)
    VALUES ($1, $2, $3, $4,
            clock_timestamp() + coalesce($5::bigint, 0) * interval '1 millisecond',
            CASE WHEN $5 IS NULL THEN clock_timestamp() END)
    ON CONFLICT DO NOTHING
";

#[async_trait]
impl WebhookLedger for PostgresLedger {
    async fn note_for_webhooks(&self, lasts: Duration) -> Result<(), LedgerError> {
        self.connections
            .execute(NOTE, &[&milliseconds(lasts)])
            .await
    }

    async fn note_imports(&self, import_ids: &[Uuid]) -> Result<(), LedgerError> {
        let untold = vec![None; import_ids.len()];
        self.note(import_ids, &untold).await
    }

    async fn noted_imports(&self) -> Result<Vec<NotedImport>, LedgerError> {
        let noted = self.connections.query(NOTED_IMPORTS, &[]).await?;
        let noted = noted.iter().map(|row| {
            Ok(NotedImport {
                import_id: column(row, 0)?,
                told: column(row, 1)?,
            })
        });
        noted.collect()
    }

    async fn tell_of_import(
        &self,
        import_id: Uuid,
        event: Option<&NewEvent>,
        is_last: bool,
    ) -> Result<(), LedgerError> {
        let statement = if is_last { TELL_LAST } else { TELL };
        if event.is_none() && !is_last {
            return Ok(());
        }
        let id = event.map(|event| event.id);
        let kind = event.map(|event| event.kind.as_str());
        let body = event.map(|event| text(&event.body));
        self.connections
            .execute(statement, &[&import_id, &id, &kind, &body])
            .await
    }

    async fn noted_mails(&self, limit: usize) -> Result<NotedMails, LedgerError> {
        let limit = i64::try_from(limit).map_err(LedgerError::permanent)?;
        let found = self.connections.query(FIRST_MAILS, &[&limit]).await?;
        let waited = found.first().map_or(Ok(0), |row| column(row, 4))?;
        let mails = found.iter().map(mail);
        Ok(NotedMails {
            mails: mails.collect::<Result<_, _>>()?,
            waited: Duration::from_millis(count(waited)),
        })
    }

    async fn tell_of_mails(
        &self,
        event: &NewEvent,
        mails: &[NotedMail],
    ) -> Result<bool, LedgerError> {
        let mut ids: Vec<&[u8]> = mails.iter().map(|mail| mail.debt_id.as_bytes()).collect();
        ids.sort_unstable();
        let told = self
            .connections
            .query_one(
                TELL_OF_MAILS,
                &[&event.id, &event.kind, &text(&event.body), &ids],
            )
            .await?;
        Ok(told.is_some())
    }

    async fn take_events(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<TakenEvent>, LedgerError> {
        let limit = i64::try_from(limit).map_err(LedgerError::permanent)?;
        let taken = self
            .connections
            .query(TAKE, &[&limit, &milliseconds(lease)])
            .await?;
        let taken = taken.iter().map(|row| {
            Ok(TakenEvent {
                event: NewEvent {
                    id: column(row, 0)?,
                    kind: column(row, 1)?,
                    body: column(row, 2)?,
                },
                attempts: u32::try_from(column::<i32>(row, 3)?).unwrap_or(0),
            })
        });
        taken.collect()
    }

    async fn end_event(&self, id: Uuid) -> Result<(), LedgerError> {
        self.connections.execute(END, &[&id]).await
    }

    async fn put_off_event(
        &self,
        id: Uuid,
        attempts: u32,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        self.connections
            .execute(
                PUT_OFF,
                &[&id, &attempts_stored(attempts)?, &milliseconds(wait)],
            )
            .await
    }

    async fn give_up_event(&self, id: Uuid) -> Result<(), LedgerError> {
        self.connections.execute(GIVE_UP, &[&id]).await?;
        self.connections
            .execute(FORGET_GIVEN_UP, &[&milliseconds(GIVEN_UP_KEPT)])
            .await
    }

    async fn retry_events(&self) -> Result<u64, LedgerError> {
        let events = self.connections.query(RETRY, &[]).await?;
        Ok(events.len() as u64)
    }

    async fn event_figures(&self) -> Result<EventFigures, LedgerError> {
        let Some(row) = self.connections.query_one(FIGURES, &[]).await? else {
            return Ok(EventFigures::default());
        };
        Ok(EventFigures {
            waiting: count(column(&row, 0)?),
            given_up: count(column(&row, 1)?),
        })
    }

    async fn adopt_outbox(&self, outbox: &Outbox) -> Result<(), LedgerError> {
        let imports: Vec<Uuid> = outbox.imports.iter().map(|noted| noted.import_id).collect();
        let told: Vec<_> = outbox.imports.iter().map(|noted| noted.told).collect();
        self.note(&imports, &told).await?;
        let mails = &outbox.mails;
        let ids: Vec<&[u8]> = mails.iter().map(|mail| mail.debt_id.as_bytes()).collect();
        let codes: Vec<String> = mails.iter().map(|mail| text(&mail.code)).collect();
        let (of, rows) = columns(mails.iter().map(|mail| mail.row))?;
        self.connections
            .execute(ADOPT_MAILS, &[&ids, &of, &rows, &codes])
            .await?;
        for stored in &outbox.events {
            let NewEvent { id, kind, body } = &stored.event;
            let due_in = stored.due_in.map(milliseconds);
            let attempts = attempts_stored(stored.attempts)?;
            self.connections
                .execute(ADOPT_EVENT, &[id, kind, &text(body), &attempts, &due_in])
                .await?;
        }
        if outbox.noting.is_zero() {
            return Ok(());
        }
        self.note_for_webhooks(outbox.noting).await
    }
}

impl PostgresLedger {
    async fn note(&self, import_ids: &[Uuid], told: &[Option<Uuid>]) -> Result<(), LedgerError> {
        if import_ids.is_empty() {
            return Ok(());
        }
        self.connections
            .execute(NOTE_IMPORTS, &[&import_ids, &told])
            .await
    }
}

fn attempts_stored(attempts: u32) -> Result<i32, LedgerError> {
    i32::try_from(attempts).map_err(LedgerError::permanent)
}

fn mail(row: &Row) -> Result<NotedMail, LedgerError> {
    let debt_id = String::from_utf8(column(row, 0)?).map_err(LedgerError::permanent)?;
    Ok(NotedMail {
        debt_id,
        row: row_id(row, 1)?,
        code: column(row, 3)?,
    })
}
