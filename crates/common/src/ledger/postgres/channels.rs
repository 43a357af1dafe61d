use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use contract::RowId;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, columns, distinct, first_of_each, in_order, reasons};
use super::claims::{RELEASE, RENEW, end};
use super::progress::count;
use super::time::{count as figure, milliseconds};
use super::webhooks::is_noting;
use crate::ledger::{
    Channel, ChannelCounts, ChannelLedger, EndedSend, LedgerError, SendClaim, SendEnd,
};

const NOTE_UNKNOWN: &str = "
    INSERT INTO sends AS s (debt_id, channel, unknown)
    SELECT d, $2, ARRAY[$3::uuid] FROM unnest($1::bytea[]) AS d
    ON CONFLICT (debt_id, channel) DO UPDATE
    SET unknown = CASE WHEN s.unknown @> excluded.unknown THEN s.unknown
                       ELSE s.unknown || excluded.unknown END
    RETURNING debt_id, cardinality(unknown)
";

/// Ends messages that have not ended, and counts those whose row is theirs.
macro_rules! end {
    ($is_theirs:expr, $count:expr $(, $noted:expr)?) => {
        concat!(
            "WITH ending AS (
                SELECT * FROM unnest($1::bytea[], $3::boolean[], $4::text[], $5::text[],
                                     $6::uuid[], $7::bigint[]) AS ending (d, s, c, t, i, w)
            ), ended AS (
                INSERT INTO sends AS s (debt_id, channel, sent, code, reason, for_row)
                SELECT d, $2, s, c, t, ",
            $is_theirs,
            " FROM ending
                ON CONFLICT (debt_id, channel) DO UPDATE
                SET sent = excluded.sent, code = excluded.code, reason = excluded.reason,
                    for_row = excluded.for_row, owner = NULL
                WHERE s.sent IS NULL
                RETURNING debt_id, sent, for_row
            ), counting AS (
                SELECT i AS import_id, sent FROM ended JOIN ending ON d = debt_id WHERE for_row
            ), counted AS (",
            $count,
            ")",
            $(", noted AS (", $noted, ")",)?
            " SELECT debt_id, for_row FROM ended"
        )
    };
}

/// A row is counted for the first e-mail of a debt where it billed the debt by
/// itself, and does not have the end from elsewhere.
macro_rules! end_mails {
    ($($noted:expr)?) => {
        end!(
            "$2 = 'mail' AND w IS NOT NULL AND c IS DISTINCT FROM 'superseded' AND EXISTS (
                SELECT FROM records AS r WHERE r.debt_id = d AND r.import_id = i AND r.row = w
                AND NOT CASE WHEN s THEN r.mailed ELSE r.undeliverable END)",
            count!(
                from "counting",
                "mailed" += "count(*) FILTER (WHERE sent)",
                "undeliverable" += "count(*) FILTER (WHERE NOT sent)"
            )
            $(, $noted)?
        )
    };
}

const END_MAILS: &str = end_mails!();

/// The same where some can never be delivered, which are noted for webhooks.
const END_AND_NOTE_MAILS: &str = end_mails!(concat!(
    "INSERT INTO webhook_mails (debt_id, import_id, row, code)
     SELECT d, i, w, coalesce(c, '') FROM ended JOIN ending ON d = debt_id
     WHERE NOT sent AND c IS DISTINCT FROM 'superseded' AND ",
    is_noting!(),
    " ORDER BY d ON CONFLICT DO NOTHING"
));

/// The part of a statement that counts what a further channel has sent.
macro_rules! count_sends {
    ($of:literal) => {
        concat!(
            "INSERT INTO channel_progress AS p (import_id, channel, slot, sent, undeliverable)
             SELECT import_id, $2, pg_backend_pid() % 256,
                    count(*) FILTER (WHERE sent), count(*) FILTER (WHERE NOT sent)
             FROM ",
            $of,
            " AS fresh GROUP BY import_id ORDER BY import_id
             ON CONFLICT (import_id, channel, slot) DO UPDATE
             SET sent = p.sent + excluded.sent,
                 undeliverable = p.undeliverable + excluded.undeliverable "
        )
    };
}

const END_SENDS: &str = end!("w IS NOT NULL", count_sends!("counting"));

/// Counts rows of messages that had ended before.
const COUNT_ENDED: &str = concat!(
    "WITH fresh AS (
        UPDATE sends AS s SET for_row = true
        FROM unnest($1::bytea[], $3::uuid[], $4::bigint[]) AS ended (d, i, w)
        WHERE s.debt_id = d AND s.channel = $2 AND s.sent IS NOT NULL AND NOT s.for_row
        RETURNING i AS import_id, s.sent
    ), counted AS (",
    count_sends!("fresh"),
    ") SELECT"
);

const ENDS: &str = "
    SELECT debt_id, sent, code, reason FROM sends WHERE debt_id = ANY($1) AND channel = $2
";

const COUNTS: &str = "
    SELECT channel, sum(sent)::bigint, sum(undeliverable)::bigint
    FROM channel_progress WHERE import_id = $1 GROUP BY channel ORDER BY channel
";

#[async_trait]
impl ChannelLedger for PostgresLedger {
    async fn claim_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<SendClaim>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        self.claim_messages(channel, debt_ids, owner, lease).await
    }

    async fn renew_sends(
        &self,
        channel: Channel,
        owner: Uuid,
        lease: Duration,
    ) -> Result<bool, LedgerError> {
        let renewed = self
            .connections
            .query_one(RENEW, &[&owner, &channel.stored(), &milliseconds(lease)])
            .await?;
        Ok(renewed.is_some())
    }

    async fn release_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let ids = distinct(debt_ids.iter().copied());
        self.connections
            .execute(RELEASE, &[&ids, &channel.stored(), &owner])
            .await
    }

    async fn note_unknown_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<Vec<u32>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = distinct(debt_ids.iter().copied());
        let noted = self
            .connections
            .query(NOTE_UNKNOWN, &[&ids, &channel.stored(), &owner])
            .await?;
        let attempts = noted.iter().map(|row| {
            let attempts: i32 = column(row, 1)?;
            let attempts = u32::try_from(attempts).map_err(LedgerError::permanent)?;
            Ok((column::<&[u8]>(row, 0)?, attempts))
        });
        let attempts: HashMap<&[u8], u32> = attempts.collect::<Result<_, LedgerError>>()?;
        Ok(in_order(
            debt_ids.iter().map(|id| id.as_bytes()),
            &attempts,
            &0,
        ))
    }

    async fn end_sends(
        &self,
        channel: Channel,
        ends: &[EndedSend<'_>],
    ) -> Result<Vec<SendEnd>, LedgerError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let firsts = first_of_each(ends, |ended| ended.debt_id.as_bytes());
        let mut standing: HashMap<&[u8], SendEnd> = HashMap::with_capacity(firsts.len());
        let mut uncounted: Vec<&EndedSend<'_>> = Vec::new();
        let ended = self.end_messages(channel, &firsts).await?;
        for first in firsts {
            let own = ended.get(first.debt_id.as_bytes());
            if own.is_some() {
                standing.insert(first.debt_id.as_bytes(), first.end.clone());
            }
            if first.row.is_some() && own != Some(&true) {
                uncounted.push(first);
            }
        }
        let left = ends.iter().map(|ended| ended.debt_id);
        let left = distinct(left.filter(|id| !standing.contains_key(id.as_bytes())));
        let earlier = self.ends(channel, &left).await?;
        standing.extend(
            left.iter()
                .filter_map(|id| Some((*id, earlier.get(*id)?.clone()))),
        );
        if !uncounted.is_empty() {
            let rows = uncounted
                .iter()
                .filter_map(|ended| Some((ended.row?, ended.debt_id)));
            let rows: Vec<(RowId, &str)> = rows.collect();
            if channel.is_mail() {
                self.count_mails(channel, &rows).await?;
            } else {
                self.count_ended(channel, &rows).await?;
            }
        }
        let ends = ends.iter().map(|ended| {
            let standing = standing.get(ended.debt_id.as_bytes());
            standing.unwrap_or(&ended.end).clone()
        });
        Ok(ends.collect())
    }

    async fn reopen_mails(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        self.reopen(channel, rows).await
    }

    async fn send_ends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
    ) -> Result<Vec<Option<SendEnd>>, LedgerError> {
        let ids = distinct(debt_ids.iter().copied());
        let ends = self.ends(channel, &ids).await?;
        let ends = debt_ids.iter().map(|id| ends.get(id.as_bytes()).cloned());
        Ok(ends.collect())
    }
}

impl PostgresLedger {
    /// Ends messages that have not ended, each once. Gives which these are, and
    /// whether their rows are counted.
    async fn end_messages(
        &self,
        channel: Channel,
        ends: &[&EndedSend<'_>],
    ) -> Result<HashMap<Vec<u8>, bool>, LedgerError> {
        let all_sent = ends.iter().all(|ended| ended.end == SendEnd::Sent);
        let statement = match channel {
            channel if !channel.is_mail() => END_SENDS,
            _ if all_sent => END_MAILS,
            _ => END_AND_NOTE_MAILS,
        };
        let ids: Vec<&[u8]> = ends.iter().map(|ended| ended.debt_id.as_bytes()).collect();
        let why = ends.iter().map(|ended| ended.end.why_unsent());
        let sent: Vec<bool> = why.clone().map(|reason| reason.is_none()).collect();
        let (codes, texts) = reasons(why);
        let (imports, rows) = columns(ends.iter().map(|ended| ended.row))?;
        let ended = self
            .connections
            .query(
                statement,
                &[
                    &ids,
                    &channel.stored(),
                    &sent,
                    &codes,
                    &texts,
                    &imports,
                    &rows,
                ],
            )
            .await?;
        let ended = ended
            .iter()
            .map(|row| Ok((column(row, 0)?, column(row, 1)?)));
        ended.collect()
    }

    /// How messages ended; there is none for what has not.
    async fn ends(
        &self,
        channel: Channel,
        ids: &[&[u8]],
    ) -> Result<HashMap<Vec<u8>, SendEnd>, LedgerError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self
            .connections
            .query(ENDS, &[&ids, &channel.stored()])
            .await?;
        let mut ends = HashMap::with_capacity(found.len());
        for row in &found {
            if let Some(end) = end(row, 1)? {
                ends.insert(column(row, 0)?, end);
            }
        }
        Ok(ends)
    }

    /// Counts rows whose messages on a further channel had ended before.
    async fn count_ended(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<(), LedgerError> {
        let ids: Vec<&[u8]> = rows.iter().map(|(_, id)| id.as_bytes()).collect();
        let (imports, numbers) = columns(rows.iter().map(|(row, _)| Some(*row)))?;
        self.connections
            .execute(COUNT_ENDED, &[&ids, &channel.stored(), &imports, &numbers])
            .await
    }

    /// What further channels have sent for an import, in the order of their names.
    pub(super) async fn channel_counts(
        &self,
        import_id: Uuid,
    ) -> Result<Vec<ChannelCounts>, LedgerError> {
        let counts = self.connections.query(COUNTS, &[&import_id]).await?;
        let counts = counts.iter().map(|row| {
            Ok(ChannelCounts {
                channel: column(row, 0)?,
                sent: figure(column(row, 1)?),
                undeliverable: figure(column(row, 2)?),
            })
        });
        counts.collect()
    }
}
