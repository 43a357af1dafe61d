//! An open connection: to one server, or to the nodes of a cluster.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{Arg, Cmd, Pipeline, RedisError, RedisFuture, Value};

/// Cloning shares it.
///
/// In a cluster the keys of a command, and of a transaction, are of one slot.
/// A pipeline may have commands for several: they are sent at once, those of
/// each slot in their order. redis-rs would split a command as well, but
/// leaves out the keys of a node to which it has no connection.
#[derive(Clone)]
pub(super) enum Opened {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Opened {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(cmd),
            Self::Cluster(cluster) => match slot(cmd) {
                Some(slot) => cluster
                    .route_command(cmd.clone(), RoutingInfo::SingleNode(master_of(slot)))
                    .boxed(),
                // Of no key: it is for every node.
                None => cluster.req_packed_command(cmd),
            },
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => {
                if pipeline.is_transaction() {
                    cluster.req_packed_commands(pipeline, offset, count)
                } else {
                    by_slot(cluster, pipeline).boxed()
                }
            }
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// Sends the commands of each slot in a pipeline of their own, and gives all
/// answers in the order of the commands. None is called off because another
/// fails.
async fn by_slot(
    cluster: &ClusterConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, RedisError> {
    let mut slots: HashMap<Option<Slot>, (Vec<usize>, Pipeline)> = HashMap::new();
    for (index, cmd) in pipeline.cmd_iter().enumerate() {
        let (indices, part) = slots.entry(slot(cmd)).or_default();
        indices.push(index);
        part.add_command(cmd.clone());
    }
    let parts = slots.into_iter().map(async |(slot, (indices, part))| {
        let route = slot.map_or(SingleNodeRoutingInfo::Random, master_of);
        let count = part.len();
        let answers = cluster
            .clone()
            .route_pipeline(part, 0, count, route)
            .await?;
        Ok::<_, RedisError>(indices.into_iter().zip(answers))
    });
    let mut all = vec![Value::Nil; pipeline.len()];
    for answers in join_all(parts).await {
        for (index, answer) in answers? {
            all[index] = answer;
        }
    }
    Ok(all)
}

/// The slot of a command's first key; `None` if it has none.
fn slot(cmd: &Cmd) -> Option<Slot> {
    let argument = |index| match cmd.args_iter().nth(index)? {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    };
    let key = match argument(0)? {
        // What `SCAN` has there is a pattern that begins with a tag.
        b"EVAL" | b"EVALSHA" | b"SCAN" => argument(3),
        b"INFO" | b"SCRIPT" => None,
        _ => argument(1),
    };
    key.map(Slot::for_key)
}

fn master_of(slot: Slot) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::SpecificNode(Route::with_slot(slot, SlotAddr::Master))
}
