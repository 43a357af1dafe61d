//! What each master says of itself.

use redis::{RedisError, Value};

use super::connection::Connection;

/// `INFO` of a server, or of each master of a cluster; all of it, or a section.
pub(super) async fn infos(
    connection: &Connection,
    section: Option<&str>,
) -> Result<Vec<String>, RedisError> {
    let mut call = redis::cmd("INFO");
    call.arg(section);
    let answer: Value = call.query_async(&mut connection.clone()).await?;
    let infos = match answer {
        Value::Map(nodes) => nodes.into_iter().map(|(_, info)| info).collect(),
        info => vec![info],
    };
    let infos = infos.into_iter().map(redis::from_redis_value);
    Ok(infos.collect::<Result<_, _>>()?)
}
