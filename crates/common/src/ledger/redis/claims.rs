//! Who sends the message of a debt: claims, and the leases that they last for.

use std::time::Duration;

use redis::{Script, Value};
use uuid::Uuid;

use super::closed::closed;
use super::keys::{Group, in_order};
use super::stored_end::{HAS_ENDED, StoredEnd};
use super::{RedisLedger, keys};
use crate::ledger::{Channel, LedgerError, SendClaim, SendEnd};

/// Most messages of one call of a script, which holds them on Lua's stack.
pub(super) const SENDS_A_CALL: usize = 1_000;

/// What the value begins with that a claim gives; the owner is the rest. It
/// holds for as long as the owner's lease is there.
const SENDING: &str = "sending:";

pub(super) fn sending(owner: Uuid) -> String {
    format!("{SENDING}{owner}")
}

/// How a message ended; `None` of one that is claimed.
pub(super) fn end_of(stored: &str) -> Option<SendEnd> {
    (!stored.starts_with(SENDING)).then(|| StoredEnd::read(stored).end)
}

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
        // Of all tags, so that whoever renews them knows which there are.
        let leases = self.keys.tags().iter();
        let leases: Vec<String> = leases.map(|tag| keys::lease(channel, tag, owner)).collect();
        let mut pipe = self.claiming();
        for lease in &leases {
            pipe.pset_ex(lease, 1, milliseconds).ignore();
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
        let mut call = redis::cmd("DEL");
        call.arg(leases);
        call.exec_async(&mut self.connection.clone()).await?;
        Err(closed())
    }

    /// Claims messages for an owner. See
    /// [`claim_sends`](crate::ledger::ChannelLedger::claim_sends).
    pub(super) async fn claim_messages(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<SendClaim>, LedgerError> {
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
}
