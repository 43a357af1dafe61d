//! What webhooks are told of, in one slot: each call is one script, so that it
//! happens as a whole. The key of each is what all of these keys begin with.

use redis::Script;

/// All of them.
pub(super) struct WebhookScripts {
    /// Notes imports. The arguments are whether to note them in any case, and
    /// their ids.
    pub(super) note_imports: Script,
    /// Stores an event of an import. The arguments are the import, whether the
    /// event is its last one, and id, kind and body, the id empty for none.
    pub(super) tell_of_import: Script,
    /// Notes e-mails. The arguments are these.
    pub(super) note_mails: Script,
    /// Gives the milliseconds that the first e-mail has waited, and then the
    /// first e-mails. The argument is how many at most.
    pub(super) first_mails: Script,
    /// Stores an event of e-mails. Gives whether it does. The arguments are id,
    /// kind and body, and the e-mails.
    pub(super) tell_of_mails: Script,
    /// Takes events. Gives id, kind, body and attempts of each. The arguments
    /// are how many at most, and for how many milliseconds.
    pub(super) take: Script,
    /// The argument is the id.
    pub(super) end: Script,
    /// The arguments are the id, the attempts and the milliseconds of the wait.
    pub(super) put_off: Script,
    /// The arguments are the id and for how many milliseconds it is kept.
    pub(super) give_up: Script,
    /// Gives how many events were given up.
    pub(super) retry: Script,
    /// Gives id, kind, body, attempts and milliseconds until it is due of each
    /// event, -1 where it was given up.
    pub(super) events: Script,
    /// Stores an event as it was elsewhere; the arguments are the same.
    pub(super) adopt_event: Script,
}

impl WebhookScripts {
    pub(super) fn new() -> Self {
        let script = |text| Script::new(&[SHARED, text].concat());
        Self {
            note_imports: script(NOTE_IMPORTS),
            tell_of_import: script(TELL_OF_IMPORT),
            note_mails: script(NOTE_MAILS),
            first_mails: script(FIRST_MAILS),
            tell_of_mails: script(TELL_OF_MAILS),
            take: script(TAKE),
            end: script(END),
            put_off: script(PUT_OFF),
            give_up: script(GIVE_UP),
            retry: script(RETRY),
            events: script(EVENTS),
            adopt_event: script(ADOPT_EVENT),
        }
    }
}

/// The keys, and what several scripts do with them.
const SHARED: &str = r"
        local NOTING, IMPORTS = KEYS[1] .. ':noting', KEYS[1] .. ':imports'
        local MAILS = KEYS[1] .. ':mails'
        local DUE, GIVEN_UP = KEYS[1] .. ':due', KEYS[1] .. ':given-up'
        local function now()
            local time = redis.call('TIME')
            return time[1] * 1000 + math.floor(time[2] / 1000)
        end
        local function key_of(id)
            return KEYS[1] .. ':event:' .. id
        end
        local function is_noting()
            return redis.call('EXISTS', NOTING) == 1
        end
        local function store(id, kind, body)
            if redis.call('EXISTS', key_of(id)) == 0 then
                redis.call('HSET', key_of(id), 'kind', kind, 'body', body, 'attempts', 0)
                redis.call('ZADD', DUE, now(), id)
            end
        end
        local function read(id)
            local key = key_of(id)
            local kind, body = redis.call('HGET', key, 'kind'), redis.call('HGET', key, 'body')
            return kind, body, redis.call('HGET', key, 'attempts')
        end
        ";

const NOTE_IMPORTS: &str = r"
        if ARGV[1] == '1' or is_noting() then
            for index = 2, #ARGV do
                redis.call('HSETNX', IMPORTS, ARGV[index], '')
            end
        end
        ";

const TELL_OF_IMPORT: &str = r"
        local import, is_last, id = ARGV[1], ARGV[2] == '1', ARGV[3]
        local told = redis.call('HGET', IMPORTS, import)
        if not told then
            return
        end
        if id ~= '' and id ~= told then
            store(id, ARGV[4], ARGV[5])
            redis.call('HSET', IMPORTS, import, id)
        end
        if is_last then
            redis.call('HDEL', IMPORTS, import)
        end
        ";

const NOTE_MAILS: &str = r"
        if is_noting() then
            for _, mail in ipairs(ARGV) do
                redis.call('ZADD', MAILS, 'NX', now(), mail)
            end
        end
        ";

const FIRST_MAILS: &str = r"
        local found = redis.call('ZRANGE', MAILS, 0, ARGV[1] - 1)
        local waited = 0
        if #found > 0 then
            waited = math.max(0, now() - tonumber(redis.call('ZMSCORE', MAILS, found[1])[1]))
        end
        return { waited, unpack(found) }
        ";

const TELL_OF_MAILS: &str = r"
        for index = 4, #ARGV do
            if not redis.call('ZMSCORE', MAILS, ARGV[index])[1] then
                return 0
            end
        end
        store(ARGV[1], ARGV[2], ARGV[3])
        redis.call('ZREM', MAILS, unpack(ARGV, 4))
        return 1
        ";

const TAKE: &str = r"
        local limit, lease, taken = ARGV[1], ARGV[2], {}
        local ids = redis.call('ZRANGE', DUE, '-inf', now(), 'BYSCORE', 'LIMIT', 0, limit)
        for _, id in ipairs(ids) do
            redis.call('ZADD', DUE, now() + lease, id)
            taken[#taken + 1] = { id, read(id) }
        end
        return taken
        ";

const END: &str = r"
        redis.call('DEL', key_of(ARGV[1]))
        redis.call('ZREM', DUE, ARGV[1])
        redis.call('ZREM', GIVEN_UP, ARGV[1])
        ";

const PUT_OFF: &str = r"
        local id, attempts, wait = ARGV[1], ARGV[2], ARGV[3]
        if redis.call('ZMSCORE', DUE, id)[1] then
            redis.call('HSET', key_of(id), 'attempts', attempts)
            redis.call('ZADD', DUE, now() + wait, id)
        end
        ";

const GIVE_UP: &str = r"
        local id, kept = ARGV[1], ARGV[2]
        if redis.call('ZREM', DUE, id) == 1 then
            redis.call('ZADD', GIVEN_UP, now(), id)
        end
        local old = redis.call('ZRANGE', GIVEN_UP, '-inf', now() - kept, 'BYSCORE', 'LIMIT', 0, 1000)
        for _, id in ipairs(old) do
            redis.call('DEL', key_of(id))
            redis.call('ZREM', GIVEN_UP, id)
        end
        ";

const RETRY: &str = r"
        local ids = redis.call('ZRANGE', GIVEN_UP, 0, -1)
        for _, id in ipairs(ids) do
            redis.call('HSET', key_of(id), 'attempts', 0)
            redis.call('ZADD', DUE, now(), id)
            redis.call('ZREM', GIVEN_UP, id)
        end
        return #ids
        ";

const EVENTS: &str = r"
        local events = {}
        for _, key in ipairs({ DUE, GIVEN_UP }) do
            for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
                local due = -1
                if key == DUE then
                    due = math.max(0, tonumber(redis.call('ZMSCORE', key, id)[1]) - now())
                end
                local kind, body, attempts = read(id)
                events[#events + 1] = { id, kind, body, attempts, due }
            end
        end
        return events
        ";

const ADOPT_EVENT: &str = r"
        local id, kind, body, attempts, due = unpack(ARGV)
        if redis.call('EXISTS', key_of(id)) == 1 then
            return
        end
        redis.call('HSET', key_of(id), 'kind', kind, 'body', body, 'attempts', attempts)
        if tonumber(due) >= 0 then
            redis.call('ZADD', DUE, now() + due, id)
        else
            redis.call('ZADD', GIVEN_UP, now(), id)
        end
        ";
