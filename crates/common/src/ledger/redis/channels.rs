use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{FromRedisValue, Script, ScriptInvocation, Value};
use uuid::Uuid;

use super::claims::{SENDS_A_CALL, end_of, sending};
use super::keys::{Group, Keys, in_order};
use super::rows::{MAILED, by_import};
use super::runs::runs;
use super::stored_end::{HAS_ENDED, StoredEnd};
use super::{RedisLedger, keys};
use crate::ledger::{
    Channel, ChannelCounts, ChannelLedger, EndedSend, LedgerError, SendClaim, SendEnd,
};
use contract::RowId;

/// Gives each message its end for ever, unless it has one, and gives what
/// stands. Sets the bits of the rows of the messages, if all of them stand as
/// sent. A command for all keys costs half of what one for each does.
///
/// The keys are the messages and, where there are rows, their bitmap; the
/// arguments are the number of messages, their ends, and what sets the bits.
pub(super) fn end_script() -> Script {
    Script::new(&format!(
        r"{HAS_ENDED}
        local count, messages = tonumber(ARGV[1]), {{}}
        for index = 1, count do
            messages[index] = KEYS[index]
        end
        local ends, fresh = redis.call('MGET', unpack(messages)), {{}}
        local first, all_sent = {{}}, true
        for index = 1, count do
            local key, value = KEYS[index], first[KEYS[index]] or ends[index]
            if not has_ended(value) then
                value = ARGV[1 + index]
                fresh[#fresh + 1], fresh[#fresh + 2] = key, value
                first[key] = value
            end
            ends[index] = value
            all_sent = all_sent and value == 'sent'
        end
        if #fresh > 0 then
            redis.call('MSET', unpack(fresh))
        end
        if all_sent and KEYS[count + 1] then
            redis.call('BITFIELD', KEYS[count + 1], unpack(ARGV, 2 + count))
        end
        return ends
        "
    ))
}

#[async_trait]
impl ChannelLedger for RedisLedger {
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
        let milliseconds = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let mut pipe = redis::pipe();
        for tag in self.keys.tags() {
            pipe.pexpire(keys::lease(channel, tag, owner), milliseconds);
        }
        let renewed: Vec<bool> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(renewed.into_iter().all(|renewed| renewed))
    }

    async fn release_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<(), LedgerError> {
        let groups = self.keys.groups(debt_ids.iter().copied(), SENDS_A_CALL);
        let calls = groups.into_iter().map(|group| {
            let mut call = self.release_sends.prepare_invoke();
            for index in &group.indices {
                call.key(self.keys.send(channel, debt_ids[*index]));
            }
            call.arg(sending(owner));
            (group, call)
        });
        self.call_all::<Value>(calls.collect()).await.map(drop)
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
        let mut calls = redis::pipe();
        for debt_id in debt_ids {
            let key = self.keys.unknown(channel, debt_id);
            calls.sadd(&key, owner.to_string()).ignore().scard(key);
        }
        Ok(calls.query_async(&mut self.connection.clone()).await?)
    }

    async fn end_sends(
        &self,
        channel: Channel,
        ends: &[EndedSend<'_>],
    ) -> Result<Vec<SendEnd>, LedgerError> {
        let mut standing = Vec::with_capacity(ends.len());
        for ends in ends.chunks(SENDS_A_CALL) {
            // Nearly always all are for rows of one import, whose bits the call
            // sets as well where they are on the same server.
            let import_id = match self.keys {
                Keys::OfServer if channel.is_mail() => import_of(ends),
                _ => None,
            };
            let bitmap = import_id.map(|import_id| keys::bitmap(import_id, MAILED));
            let now = self.end_messages(channel, ends, bitmap.as_deref()).await?;
            if channel.is_mail() {
                let standing = now.iter().map(|stored| &stored.end);
                self.note_undeliverable(ends, standing).await?;
            }
            let rows = ends.iter().zip(&now);
            let rows = rows.filter_map(|(ended, stored)| Some((ended.row?, stored)));
            if channel.is_mail() {
                let is_recorded = bitmap.is_some() && now.iter().all(StoredEnd::is_sent);
                if !is_recorded {
                    self.record_mails(&rows.collect::<Vec<_>>()).await?;
                }
            } else {
                self.record_sends(channel, &rows.collect::<Vec<_>>())
                    .await?;
            }
            standing.extend(now.into_iter().map(|stored| stored.end));
        }
        Ok(standing)
    }

    async fn reopen_mails(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        self.reopen_undeliverable(channel, rows).await
    }

    async fn send_ends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
    ) -> Result<Vec<Option<SendEnd>>, LedgerError> {
        let message = |debt_id: &str| self.keys.send(channel, debt_id);
        let values: Vec<Option<String>> = self.values(debt_ids, message).await?;
        let ends = values.iter().map(|value| value.as_deref().and_then(end_of));
        Ok(ends.collect())
    }
}

/// A row, and what became of its debt's message.
type EndOfRow<'a> = (RowId, &'a StoredEnd);

/// The import of all of the rows, if each has one and they share it.
fn import_of(ends: &[EndedSend<'_>]) -> Option<Uuid> {
    let import_id = ends.first()?.row?.import_id;
    let is_there = |ended: &EndedSend<'_>| ended.row.is_some_and(|row| row.import_id == import_id);
    ends.iter().all(is_there).then_some(import_id)
}

impl RedisLedger {
    /// Calls a script for each group at once.
    pub(super) async fn call_all<T: FromRedisValue>(
        &self,
        calls: Vec<(Group, ScriptInvocation<'_>)>,
    ) -> Result<Vec<(Group, Vec<T>)>, LedgerError> {
        let answers = calls.into_iter().map(async |(group, call)| {
            let answers: Vec<T> = call.invoke_async(&mut self.connection.clone()).await?;
            Ok((group, answers))
        });
        try_join_all(answers).await
    }

    /// Ends messages, and sets the bits of their rows, where there is a bitmap
    /// and all were sent. Gives what stands.
    async fn end_messages(
        &self,
        channel: Channel,
        ends: &[EndedSend<'_>],
        bitmap: Option<&str>,
    ) -> Result<Vec<StoredEnd>, LedgerError> {
        let groups = self
            .keys
            .groups(ends.iter().map(|ended| ended.debt_id), ends.len());
        let calls = groups.into_iter().map(|group| {
            let of_group = || group.indices.iter().map(|index| &ends[*index]);
            let mut call = self.end_sends.prepare_invoke();
            call.arg(group.indices.len());
            for ended in of_group() {
                call.key(self.keys.send(channel, ended.debt_id));
                call.arg(StoredEnd::text_of(&ended.end));
            }
            if let Some(bitmap) = bitmap {
                call.key(bitmap);
                let rows = of_group().filter_map(|ended| ended.row);
                let rows: BTreeSet<u64> = rows.map(|row| row.row).collect();
                for run in runs(rows) {
                    call.arg(run.set());
                }
            }
            (group, call)
        });
        let values: Vec<String> = in_order(self.call_all(calls.collect()).await?);
        if let Some(bitmap) = bitmap {
            self.expire([bitmap.to_owned()]).await?;
        }
        Ok(values.iter().map(|value| StoredEnd::read(value)).collect())
    }

    /// Records what became of the e-mails of rows.
    async fn record_mails(&self, rows: &[EndOfRow<'_>]) -> Result<(), LedgerError> {
        let (mut mailed, mut undeliverable) = (Vec::new(), Vec::new());
        for (row, stored) in rows {
            match &stored.end {
                SendEnd::Sent => mailed.push(*row),
                SendEnd::Undeliverable(why) => undeliverable.push((*row, why, &*stored.mark)),
                SendEnd::Superseded => {}
            }
        }
        if !mailed.is_empty() {
            let mut pipe = redis::pipe();
            self.advance(&mut pipe, MAILED, &mailed);
            pipe.exec_async(&mut self.connection.clone()).await?;
        }
        self.record_undeliverable(&undeliverable).await
    }

    /// Counts rows by what became of their messages on a further channel.
    async fn record_sends(
        &self,
        channel: Channel,
        rows: &[EndOfRow<'_>],
    ) -> Result<(), LedgerError> {
        for (import_id, indices) in by_import(rows.iter().map(|(row, _)| *row)) {
            let [sent, undeliverable] = keys::channel_rows(import_id, channel.name());
            let channels = keys::channels(import_id);
            let mut pipe = redis::pipe();
            pipe.sadd(&channels, channel.name()).ignore();
            for index in indices {
                let (row, stored) = rows[index];
                let bitmap = match stored.end {
                    SendEnd::Sent => &sent,
                    SendEnd::Undeliverable(_) => &undeliverable,
                    SendEnd::Superseded => continue,
                };
                pipe.cmd("SETBIT").arg(bitmap).arg(row.row).arg(1).ignore();
            }
            pipe.exec_async(&mut self.connection.clone()).await?;
            self.expire([channels, sent, undeliverable]).await?;
        }
        Ok(())
    }

    /// What those channels came to for an import, in the order of their names.
    pub(super) async fn channel_counts(
        &self,
        import_id: Uuid,
        mut channels: Vec<String>,
    ) -> Result<Vec<ChannelCounts>, LedgerError> {
        // Nearly always there is none.
        if channels.is_empty() {
            return Ok(Vec::new());
        }
        channels.sort_unstable();
        let mut pipe = redis::pipe();
        for channel in &channels {
            for bitmap in keys::channel_rows(import_id, channel) {
                pipe.bitcount(bitmap);
            }
        }
        let counts: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
        let counts = channels.into_iter().zip(counts.chunks_exact(2));
        let counts = counts.map(|(channel, counts)| ChannelCounts {
            channel,
            sent: counts[0],
            undeliverable: counts[1],
        });
        Ok(counts.collect())
    }
}
