use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{FromRedisValue, Script, ScriptInvocation, Value};
use uuid::Uuid;

use super::closed::closed;
use super::keys::{Group, Keys, in_order};
use super::rows::{MAILED, by_import};
use super::stored_end::StoredEnd;
use super::{RedisLedger, keys};
use crate::ledger::{
    Channel, ChannelCounts, ChannelLedger, EndedSend, LedgerError, SendClaim, SendEnd,
};
use contract::RowId;

/// What the value begins with that a claim gives; the owner is the rest. It
/// holds for as long as the owner's lease is there.
const SENDING: &str = "sending:";

/// Most messages of one call of a script, which holds them on Lua's stack.
const SENDS_A_CALL: usize = 1_000;

fn sending(owner: Uuid) -> String {
    format!("{SENDING}{owner}")
}

/// How a message ended; `None` of one that is claimed.
pub(super) fn end_of(stored: &str) -> Option<SendEnd> {
    (!stored.starts_with(SENDING)).then(|| StoredEnd::read(stored).end)
}

/// Whether a value stands for ever.
const HAS_ENDED: &str = r"
    local function has_ended(value)
        return value == 'sent' or (value and string.sub(value, 1, 14) == 'undeliverable:')
    end
";

/// Claims each key for the owner, unless it has ended or is another's whose
/// lease stands. Gives -1 for what is the owner's, the milliseconds that are
/// left of another's lease, and the value of what has ended.
///
/// The arguments are the value of a claim, and what the keys of leases begin with.
pub(super) fn claim_script() -> Script {
    Script::new(&format!(
        r"{HAS_ENDED}
        local claims, taken = {{}}, {{}}
        for index, value in ipairs(redis.call('MGET', unpack(KEYS))) do
            local left = -2
            if value and value ~= ARGV[1] and not has_ended(value) then
                local lease = ARGV[2] .. string.sub(value, #'{SENDING}' + 1)
                left = redis.call('PTTL', lease)
            end
            if has_ended(value) then
                claims[index] = value
            elseif left >= 0 then
                claims[index] = left
            else
                taken[#taken + 1], taken[#taken + 2] = KEYS[index], ARGV[1]
                claims[index] = -1
            end
        end
        if #taken > 0 then
            redis.call('MSET', unpack(taken))
        end
        return claims
        "
    ))
}

/// Deletes the claims that are still the owner's.
pub(super) fn release_script() -> Script {
    Script::new(
        r"
        for _, key in ipairs(KEYS) do
            if redis.call('GET', key) == ARGV[1] then
                redis.call('DEL', key)
            end
        end
        ",
    )
}

/// Gives each message its end for ever, unless it has one, and sets the bit of
/// each row whose message was sent. Gives what stands. A command for all keys
/// costs half of what one for each does.
///
/// The keys are the messages and, where there are rows, their bitmap; the
/// arguments are the number of messages, their ends, and the rows, all or none.
pub(super) fn end_script() -> Script {
    Script::new(&format!(
        r"{HAS_ENDED}
        local count, messages = tonumber(ARGV[1]), {{}}
        for index = 1, count do
            messages[index] = KEYS[index]
        end
        local ends, fresh = redis.call('MGET', unpack(messages)), {{}}
        local first, bits = {{}}, {{}}
        for index = 1, count do
            local key, value = KEYS[index], first[KEYS[index]] or ends[index]
            if not has_ended(value) then
                value = ARGV[1 + index]
                fresh[#fresh + 1], fresh[#fresh + 2] = key, value
                first[key] = value
            end
            ends[index] = value
            if value == 'sent' and KEYS[count + 1] then
                local at = #bits
                bits[at + 1], bits[at + 2] = 'SET', 'u1'
                bits[at + 3], bits[at + 4] = ARGV[1 + count + index], '1'
            end
        end
        if #fresh > 0 then
            redis.call('MSET', unpack(fresh))
        end
        if #bits > 0 then
            redis.call('BITFIELD', KEYS[count + 1], unpack(bits))
        end
        return ends
        "
    ))
}

fn claim(answer: &Value) -> SendClaim {
    match answer {
        Value::Int(-1) => SendClaim::Granted,
        Value::Int(left) => {
            SendClaim::Leased(Duration::from_millis(u64::try_from(*left).unwrap_or(0)))
        }
        Value::BulkString(stored) => {
            SendClaim::Ended(StoredEnd::read(&String::from_utf8_lossy(stored)).end)
        }
        // The script gives nothing else.
        _ => SendClaim::Leased(Duration::ZERO),
    }
}

impl RedisLedger {
    /// Begins the owner's leases, and claims all of the messages of a group or
    /// none of them; says which. Nearly always nobody has claimed any of them,
    /// which one command finds at a fraction of what the script costs.
    async fn claim_sends_together(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        groups: &[Group],
        (owner, lease): (Uuid, Duration),
    ) -> Result<Vec<bool>, LedgerError> {
        let milliseconds = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let sending = sending(owner);
        let mut pipe = self.claiming();
        // Of all tags, so that whoever renews them knows which there are.
        for tag in self.keys.tags() {
            pipe.pset_ex(keys::lease(channel, tag, owner), 1, milliseconds)
                .ignore();
        }
        for group in groups {
            let debts = group.indices.iter().map(|index| debt_ids[*index]);
            let claims = debts.map(|id| (self.keys.send(channel, id), &sending));
            pipe.mset_nx(&claims.collect::<Vec<_>>());
        }
        if let Some(claimed) = self.unless_closed(&pipe).await? {
            return Ok(claimed);
        }
        // Whoever closed the ledger waits for the end of all leases.
        let leases = self.keys.tags().iter();
        let mut call = redis::cmd("DEL");
        call.arg(
            leases
                .map(|tag| keys::lease(channel, tag, owner))
                .collect::<Vec<_>>(),
        );
        call.exec_async(&mut self.connection.clone()).await?;
        Err(closed())
    }

    /// Calls a script for each group at once.
    async fn call_all<T: FromRedisValue>(
        &self,
        calls: Vec<(Group, ScriptInvocation<'_>)>,
    ) -> Result<Vec<(Group, Vec<T>)>, LedgerError> {
        let answers = calls.into_iter().map(async |(group, call)| {
            let answers: Vec<T> = call.invoke_async(&mut self.connection.clone()).await?;
            Ok((group, answers))
        });
        try_join_all(answers).await
    }
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
        let groups = self.keys.groups(debt_ids.iter().copied(), SENDS_A_CALL);
        let granted = self
            .claim_sends_together(channel, debt_ids, &groups, (owner, lease))
            .await?;
        let (mut claims, mut calls) = (Vec::with_capacity(groups.len()), Vec::new());
        for (group, granted) in groups.into_iter().zip(granted) {
            if granted {
                let all = vec![SendClaim::Granted; group.indices.len()];
                claims.push((group, all));
                continue;
            }
            let mut call = self.claim_sends.prepare_invoke();
            for index in &group.indices {
                call.key(self.keys.send(channel, debt_ids[*index]));
            }
            call.arg(sending(owner))
                .arg(keys::leases(channel, group.tag));
            calls.push((group, call));
        }
        for (group, answers) in self.call_all::<Value>(calls).await? {
            claims.push((group, answers.iter().map(claim).collect()));
        }
        Ok(in_order(claims))
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
                Keys::OfServer if channel == Channel::MAIL => import_of(ends),
                _ => None,
            };
            let bitmap = import_id.map(|import_id| keys::bitmap(import_id, MAILED));
            let now = self.end_messages(channel, ends, bitmap.as_deref()).await?;
            let rows = ends.iter().zip(&now);
            let rows = rows.filter_map(|(ended, stored)| Some((ended.row?, stored)));
            if channel == Channel::MAIL {
                let is_recorded = |end: &SendEnd| bitmap.is_some() && *end == SendEnd::Sent;
                let rows = rows.filter(|(_, stored)| !is_recorded(&stored.end));
                self.record_mails(&rows.collect::<Vec<_>>()).await?;
            } else {
                self.record_sends(channel, &rows.collect::<Vec<_>>())
                    .await?;
            }
            standing.extend(now.into_iter().map(|stored| stored.end));
        }
        Ok(standing)
    }

    async fn reopen_mails(&self, rows: &[(RowId, &str)]) -> Result<Vec<bool>, LedgerError> {
        self.reopen_undeliverable(rows).await
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
    /// Ends messages, and sets the bits of those rows whose message was sent,
    /// where there is a bitmap. Gives what stands.
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
                for row in of_group().filter_map(|ended| ended.row) {
                    call.arg(row.row);
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
