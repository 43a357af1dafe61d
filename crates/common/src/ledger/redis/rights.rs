//! Whether the user of the settings may do what the ledger does.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, ServerError, ServerErrorKind, Value};

/// The commands that the ledger and its scripts call, each with arguments as
/// it takes them.
const COMMANDS: [&str; 44] = [
    "BITCOUNT ready",
    "BITFIELD ready",
    "DEL ready",
    "EVALSHA 0 1 ready",
    "EXISTS ready",
    "EXPIRE ready 1",
    "EXPIREAT ready 1",
    "GET ready",
    "GETBIT ready 1",
    "GETRANGE ready 0 0",
    "HDEL ready 1",
    "HEXISTS ready 1",
    "HGET ready 1",
    "HGETALL ready",
    "HLEN ready",
    "HSET ready 1 1",
    "HSETNX ready 1 1",
    "INCRBY ready 1",
    "INFO",
    "MGET ready",
    "MSET ready 1",
    "MSETNX ready 1",
    "PEXPIRE ready 1",
    "PSETEX ready 1 1",
    "PTTL ready",
    "SADD ready 1",
    "SCAN 0",
    "SCARD ready",
    "SCRIPT LOAD 1",
    "SET ready 1",
    "SETBIT ready 1 1",
    "SETRANGE ready 0 1",
    "SISMEMBER ready 1",
    "SMEMBERS ready",
    "SREM ready 1",
    "TIME",
    "ZADD ready 1 1",
    "ZCARD ready",
    "ZCOUNT ready 1 1",
    "ZMSCORE ready 1",
    "ZRANGE ready 1 1",
    "ZREM ready 1",
    "ZREMRANGEBYSCORE ready 1 1",
    // No key of the ledger: the client asks it.
    "PING",
];

/// What the client of a cluster calls besides.
const OF_A_CLUSTER: [&str; 2] = ["ASKING", "CLUSTER SLOTS"];

/// A key of each kind.
const KEYS: [&str; 17] = [
    "agreement:",
    "channel:",
    "idempotency:",
    "import:",
    "imports",
    "imports:carry:",
    "imports:erasing",
    "imports:open",
    "ledger:closed",
    "mail:",
    "mail-lease:",
    "mail-unknown:",
    "notification:",
    "processed:",
    "ready:",
    "sequence:",
    "webhooks:",
];

/// The first call that the user may not make; `None` if it may make all.
/// Nothing is changed: the calls are those of a transaction that is not valid.
/// The connection is not to be used for anything else.
pub(super) async fn missing(
    mut connection: MultiplexedConnection,
    is_cluster: bool,
) -> Result<Option<String>, RedisError> {
    let of_a_cluster = if is_cluster { &OF_A_CLUSTER[..] } else { &[] };
    // Without it, what follows would be done.
    let begins = ["MULTI".to_owned()];
    let calls: Vec<String> = COMMANDS
        .iter()
        .chain(of_a_cluster)
        .map(|call| (*call).to_owned())
        .chain(KEYS.iter().map(|key| format!("SET {key} 1")))
        // One without its argument, so that the next ends nothing well.
        .chain(["GET", "EXEC"].map(str::to_owned))
        .collect();
    for calls in [&begins[..], &calls] {
        if let Some(index) = first_refused(&mut connection, calls).await? {
            return Ok(Some(calls[index].clone()));
        }
    }
    Ok(None)
}

/// Makes calls, and gives the place of the first that the user may not make.
async fn first_refused(
    connection: &mut MultiplexedConnection,
    calls: &[String],
) -> Result<Option<usize>, RedisError> {
    let mut pipeline = Pipeline::new();
    for call in calls {
        let mut command = Cmd::new();
        command.arg(call.split(' ').collect::<Vec<_>>());
        pipeline.add_command(command);
    }
    let answers = connection.req_packed_commands(&pipeline, 0, calls.len());
    let answers = answers.await?;
    Ok(answers.iter().position(|answer| match answer {
        Value::ServerError(refusal) => is_for_want_of_rights(refusal),
        _ => false,
    }))
}

fn is_for_want_of_rights(refusal: &ServerError) -> bool {
    // That of EXEC says it among its details.
    refusal.kind() == Some(ServerErrorKind::NoPerm)
        || refusal.details().is_some_and(|why| why.contains("NOPERM"))
}
