//! The masters, and what each says of itself.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

use super::connection::Connection;
use super::place::Address;

/// The masters of a cluster, as a node of it names them.
pub(super) async fn addresses(
    node: &mut MultiplexedConnection,
) -> Result<Vec<Address>, RedisError> {
    let mut call = redis::cmd("CLUSTER");
    let ranges: Vec<Vec<Value>> = call.arg("SLOTS").query_async(node).await?;
    let mut masters = Vec::new();
    // From the first slot to the last, then the master and its replicas.
    for master in ranges
        .into_iter()
        .filter_map(|range| range.into_iter().nth(2))
    {
        let Value::Array(facts) = master else {
            continue;
        };
        if let [Value::BulkString(host), Value::Int(port), ..] = &facts[..] {
            let host = String::from_utf8_lossy(host).into_owned();
            let port = u16::try_from(*port).unwrap_or_default();
            let address = Address { host, port };
            // A node may know no name of itself, and is the one that was asked.
            if !address.host.is_empty() && address.host != "?" && !masters.contains(&address) {
                masters.push(address);
            }
        }
    }
    Ok(masters)
}

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
