//! The scripts of who carries an import. The truth is its hash; what is listed
//! for carriers, in a slot of its own, is a hint, which they set right.

use redis::Script;

use super::import_hash::{
    ABANDONED_AT, CANCELLED_AT, CARRIED_UNTIL, CLIENT, EPOCH, FAILURE, OFFSET, OWNER, SENT,
    SENT_AT, SPOOL,
};

/// What [`CarrierScripts::take`] found: somebody carries the import, or it is
/// taken. Else its sending has ended.
pub(super) const HELD: i64 = 1;
pub(super) const TAKEN: i64 = 2;

/// What [`CarrierScripts::record_sent`] found.
pub(super) const TAKEN_OVER: i64 = 0;
pub(super) const GOES_ON: i64 = 1;
pub(super) const CANCELLED: i64 = 2;

/// All of them.
pub(super) struct CarrierScripts {
    /// Gives client and id of the import that is to be taken next: that whose
    /// lease ended first, else the oldest of the client that has the fewest
    /// carried. The key is the set of a spool's clients.
    pub(super) next: Script,
    /// Gives the imports that nobody carries. The key is the same.
    pub(super) free: Script,
    /// Gives client and id of each import that is listed as carried. The key is
    /// the same.
    pub(super) held: Script,
    /// Lists an import until it is free, after so many milliseconds; takes it
    /// off the list where they are below 0. The key is the same; the arguments
    /// are client, id and milliseconds.
    pub(super) list: Script,
    /// Takes an import. Gives what it found, then the milliseconds that are
    /// left of another's lease, or the epoch; then how many rows and bytes are
    /// sent. The key is the import; the arguments are the attempt, the
    /// milliseconds of the lease, and the spool and the client that it was
    /// found under.
    pub(super) take: Script,
    /// Lets a lease last so many milliseconds from now, or gives the import
    /// back where they are 0. Gives spool and client where it is held. The key
    /// is the import; the arguments are the epoch and the milliseconds.
    pub(super) lease: Script,
    /// Ends the lease of an import, whoever has it. The key is the import.
    pub(super) end_lease: Script,
    /// Records how far an import is sent, and when its sending ended unless
    /// that is empty. Gives what it found, spool and client. The key is the
    /// import; the arguments are the epoch, the rows, the bytes and the time.
    pub(super) record_sent: Script,
    /// Records that an import failed. Gives spool and client where the lease is
    /// held. The key is the import; the arguments are the epoch, the reason and
    /// the time.
    pub(super) record_failure: Script,
    /// Cancels an import. Gives spool and client where its sending has ended.
    /// The key is the import; the argument is the time.
    pub(super) cancel: Script,
}

impl CarrierScripts {
    pub(super) fn new() -> Self {
        Self {
            next: script(&[NOW, NEXT]),
            free: script(&[NOW, FREE]),
            held: script(&[HELD_IMPORTS]),
            list: script(&[NOW, LIST]),
            take: script(&[&fields(), NOW, TAKE]),
            lease: script(&[&fields(), NOW, LEASE]),
            end_lease: script(&[&fields(), "end_lease()"]),
            record_sent: script(&[&fields(), RECORD_SENT]),
            record_failure: script(&[&fields(), RECORD_FAILURE]),
            cancel: script(&[&fields(), NOW, CANCEL]),
        }
    }
}

fn script(parts: &[&str]) -> Script {
    Script::new(&parts.concat())
}

/// The fields of the hash by their names, and what several scripts do with
/// them.
fn fields() -> String {
    format!(
        r"
        local SPOOL, CLIENT, EPOCH, OWNER = '{SPOOL}', '{CLIENT}', '{EPOCH}', '{OWNER}'
        local CARRIED_UNTIL, SENT, OFFSET = '{CARRIED_UNTIL}', '{SENT}', '{OFFSET}'
        local SENT_AT, CANCELLED_AT = '{SENT_AT}', '{CANCELLED_AT}'
        local ABANDONED_AT, FAILURE = '{ABANDONED_AT}', '{FAILURE}'
        local function get(field)
            return redis.call('HGET', KEYS[1], field)
        end
        local function number(field)
            return tonumber(get(field) or 0)
        end
        local function has_ended()
            return redis.call('HEXISTS', KEYS[1], SENT_AT) == 1
        end
        local function is_held_by(epoch)
            return redis.call('EXISTS', KEYS[1]) == 1 and number(EPOCH) == tonumber(epoch)
        end
        local function place()
            return {{ get(SPOOL) or '', get(CLIENT) or '' }}
        end
        local function end_lease()
            redis.call('HDEL', KEYS[1], CARRIED_UNTIL, OWNER)
        end
        "
    )
}

const NOW: &str = r"
        local function now()
            local time = redis.call('TIME')
            return time[1] * 1000 + math.floor(time[2] / 1000)
        end
        ";

const NEXT: &str = r"
        local now, lost, lost_at, free, fewest = now(), false, nil, false, nil
        for _, client in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            local key = KEYS[1] .. ':' .. client
            local ended = redis.call('ZRANGE', key, '(0', now, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
            local at = tonumber(ended[2])
            if at and (not lost or at < lost_at) then
                lost, lost_at = { client, ended[1] }, at
            end
            local oldest = redis.call('ZRANGE', key, 0, 0, 'BYSCORE', 'LIMIT', 0, 1)[1]
            if oldest and not lost then
                local held = redis.call('ZCOUNT', key, '(' .. now, '+inf')
                if not free or held < fewest or (held == fewest and oldest < free[2]) then
                    free, fewest = { client, oldest }, held
                end
            end
        end
        return lost or free
        ";

const FREE: &str = r"
        local now, free = now(), {}
        for _, client in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            local key = KEYS[1] .. ':' .. client
            for _, id in ipairs(redis.call('ZRANGE', key, 0, now, 'BYSCORE')) do
                free[#free + 1] = id
            end
        end
        return free
        ";

const HELD_IMPORTS: &str = r"
        local held = {}
        for _, client in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            local key = KEYS[1] .. ':' .. client
            for _, id in ipairs(redis.call('ZRANGE', key, '(0', '+inf', 'BYSCORE')) do
                held[#held + 1] = { client, id }
            end
        end
        return held
        ";

const LIST: &str = r"
        local client, id, after = ARGV[1], ARGV[2], tonumber(ARGV[3])
        local key = KEYS[1] .. ':' .. client
        if after >= 0 then
            redis.call('SADD', KEYS[1], client)
            redis.call('ZADD', key, after > 0 and now() + after or 0, id)
        elseif redis.call('ZREM', key, id) == 1 and redis.call('EXISTS', key) == 0 then
            redis.call('SREM', KEYS[1], client)
        end
        ";

const TAKE: &str = r"
        local attempt, lasts, spool, client = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
        local now, left = now(), 0
        if has_ended() or (get(SPOOL) or spool) ~= spool then
            return { 0, 0, 0, 0 }
        end
        left = number(CARRIED_UNTIL) - now
        if left > 0 and get(OWNER) ~= attempt then
            return { 1, left, 0, 0 }
        end
        if not get(SPOOL) then
            redis.call('HSET', KEYS[1], SPOOL, spool, CLIENT, client)
        end
        local epoch = number(EPOCH) + 1
        redis.call('HSET', KEYS[1], EPOCH, epoch, OWNER, attempt, CARRIED_UNTIL, now + lasts)
        return { 2, epoch, number(SENT), number(OFFSET) }
        ";

const LEASE: &str = r"
        local epoch, lasts = ARGV[1], tonumber(ARGV[2])
        if has_ended() or not is_held_by(epoch) then
            return false
        end
        if lasts > 0 then
            redis.call('HSET', KEYS[1], CARRIED_UNTIL, now() + lasts)
        else
            end_lease()
        end
        return place()
        ";

const RECORD_SENT: &str = r"
        local epoch, rows, offset, sent_at = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
        if not is_held_by(epoch) then
            return { 0, '', '' }
        end
        redis.call('HSET', KEYS[1], SENT, rows, OFFSET, offset)
        if sent_at ~= '' then
            redis.call('HSETNX', KEYS[1], SENT_AT, sent_at)
            redis.call('HDEL', KEYS[1], ABANDONED_AT)
            end_lease()
        end
        local is_cancelled = redis.call('HEXISTS', KEYS[1], CANCELLED_AT) == 1
        return { is_cancelled and 2 or 1, unpack(place()) }
        ";

const RECORD_FAILURE: &str = r"
        local epoch, reason, failed_at = ARGV[1], ARGV[2], ARGV[3]
        if not is_held_by(epoch) then
            return false
        end
        redis.call('HSET', KEYS[1], FAILURE, reason)
        redis.call('HSETNX', KEYS[1], SENT_AT, failed_at)
        end_lease()
        return place()
        ";

const CANCEL: &str = r"
        local cancelled_at = ARGV[1]
        if redis.call('EXISTS', KEYS[1]) == 0 then
            return false
        end
        redis.call('HSETNX', KEYS[1], CANCELLED_AT, cancelled_at)
        if number(CARRIED_UNTIL) <= now() then
            redis.call('HSETNX', KEYS[1], SENT_AT, cancelled_at)
        end
        return has_ended() and place()
        ";
