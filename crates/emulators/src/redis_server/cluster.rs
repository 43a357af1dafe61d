//! A cluster: servers that share the slots, each of them with or without a replica.

use std::{path::PathBuf, time::Duration};

use super::{
    AppendFsync, AsksClients, RedisError, RedisServer, free_port, replication::until,
    secure::tls_settings, wire,
};

use crate::{certificates::Certificates, server_process::on_a_port};

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// How many masters.
    pub masters: u16,
    /// Whether each of them has a replica.
    pub with_replicas: bool,
    /// The port of the first node; those of the others follow. `None`: any that are free.
    pub first_port: Option<u16>,
    /// Has a directory for each node, which stays; `None`: temporary ones.
    pub directory: Option<PathBuf>,
    /// When a node makes its append-only file safe.
    pub append_fsync: AppendFsync,
    /// Time without an answer after which a node counts as gone. Short, a busy machine makes
    /// replicas take places that nobody left.
    pub node_timeout: Duration,
}

impl Default for ClusterOptions {
    /// Three masters alone, on free ports, whose nodes are soon found gone.
    fn default() -> Self {
        Self {
            masters: 3,
            with_replicas: false,
            first_port: None,
            directory: None,
            append_fsync: AppendFsync::default(),
            node_timeout: Duration::from_millis(500),
        }
    }
}

/// A cluster of servers that end with their owner. It takes writes about two seconds after its
/// start, as Redis has its masters wait so long.
#[derive(Debug)]
pub struct RedisCluster {
    masters: Vec<Node>,
    replicas: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    server: RedisServer,
    bus_port: u16,
    tls_port: Option<u16>,
    id: String,
}

impl RedisCluster {
    /// Starts so many masters, each with a replica or without one, and returns when all of them
    /// know one another and take writes.
    pub async fn start(masters: u16, with_replicas: bool) -> Result<Self, RedisError> {
        Self::start_with(&ClusterOptions {
            masters,
            with_replicas,
            ..ClusterOptions::default()
        })
        .await
    }

    /// Masters alone, which speak TLS to clients and to one another; a port of each is for whoever
    /// manages it.
    pub async fn start_secure(
        masters: u16,
        certificates: &Certificates,
    ) -> Result<Self, RedisError> {
        let options = ClusterOptions {
            masters,
            ..ClusterOptions::default()
        };
        Self::start_all(&options, Some(certificates)).await
    }

    /// The same without TLS, with all that can be chosen.
    pub async fn start_with(options: &ClusterOptions) -> Result<Self, RedisError> {
        Self::start_all(options, None).await
    }

    async fn start_all(
        options: &ClusterOptions,
        certificates: Option<&Certificates>,
    ) -> Result<Self, RedisError> {
        let masters = options.masters;
        let mut cluster = Self {
            masters: Vec::new(),
            replicas: Vec::new(),
        };
        for number in 0..masters {
            let master = Node::start(options, number, certificates).await?;
            cluster.masters.push(master);
            if options.with_replicas {
                let replica = Node::start(options, masters + number, certificates).await?;
                cluster.replicas.push(replica);
            }
        }
        let first_of = |index: u16| u32::from(SLOTS) * u32::from(index) / u32::from(masters);
        for (index, master) in (0..masters).zip(&cluster.masters) {
            let (first, next) = (first_of(index), first_of(index + 1));
            let epoch = index + 1;
            let server = &master.server;
            server
                .tell(&format!("CLUSTER SET-CONFIG-EPOCH {epoch}"))
                .await;
            server
                .tell(&format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1))
                .await;
        }
        for node in cluster.nodes().skip(1) {
            let (port, bus_port) = (node.server.port(), node.bus_port);
            let meets = format!("CLUSTER MEET 127.0.0.1 {port} {bus_port}");
            cluster.masters[0].server.tell(&meets).await;
        }
        let nodes = cluster.nodes().count();
        let known = format!("cluster_known_nodes:{nodes}");
        cluster.all("all nodes to know one another", &known).await?;
        for (master, replica) in cluster.masters.iter().zip(&cluster.replicas) {
            let follows = format!("CLUSTER REPLICATE {}", master.id);
            replica.server.tell(&follows).await;
        }
        cluster.takes_writes().await?;
        for replica in &cluster.replicas {
            until("a replica to have all data", async || {
                replica.server.says("master_link_status:up").await
            })
            .await?;
        }
        Ok(cluster)
    }

    /// The addresses of all masters of the start for clients, as a URL takes them.
    pub fn addresses(&self) -> String {
        let port = |node: &Node| node.tls_port.unwrap_or(node.server.port());
        let address = |node: &Node| format!("127.0.0.1:{}", port(node));
        let addresses: Vec<_> = self.masters.iter().map(address).collect();
        addresses.join(",")
    }

    /// A master of the start.
    pub fn master(&self, index: usize) -> &RedisServer {
        &self.masters[index].server
    }

    /// All of the servers.
    pub fn servers(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes().map(|node| &node.server)
    }

    /// Kills a master, as a crash would, once its replica has all that it has answered by now. The
    /// replica takes its place soon after.
    pub async fn kill_master_with_a_copy(&mut self, index: usize) -> Result<(), RedisError> {
        self.copied(index).await?;
        self.masters[index].server.kill();
        Ok(())
    }

    /// The same, but the master stays and answers nothing: its host is cut off.
    pub async fn silence_master_with_a_copy(&self, index: usize) -> Result<(), RedisError> {
        self.copied(index).await?;
        self.masters[index].server.child.pause();
        Ok(())
    }

    /// How many masters the cluster was started with.
    pub fn masters(&self) -> usize {
        self.masters.len()
    }

    /// A master of the start, to be killed and started again.
    pub fn master_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.masters[index].server
    }

    /// Shuts all nodes down. They can be [started again](Self::start_again).
    pub async fn shut_down(&mut self) {
        for node in self.masters.iter_mut().chain(&mut self.replicas) {
            node.server.shut_down().await;
        }
    }

    /// Starts the nodes that were shut down or killed, and returns when the cluster takes writes.
    pub async fn start_again(&mut self) -> Result<(), RedisError> {
        for node in self.masters.iter_mut().chain(&mut self.replicas) {
            if !node.server.is_running() {
                node.server.start_again().await?;
            }
        }
        self.takes_writes().await
    }

    /// Returns when the replica of a master has taken its place.
    pub async fn has_failed_over(&self, index: usize) -> Result<(), RedisError> {
        let replica = &self.replicas[index];
        until("a replica to take the place of its master", async || {
            replica.server.says("role:master").await && replica.says("cluster_state:ok").await
        })
        .await
    }

    async fn takes_writes(&self) -> Result<(), RedisError> {
        self.all("the cluster to take writes", "cluster_state:ok")
            .await
    }

    async fn copied(&self, index: usize) -> Result<(), RedisError> {
        let [master, replica] = [&self.masters, &self.replicas].map(|nodes| &nodes[index].server);
        // A replica never catches up with a master that is written to all the time.
        master.tell("CLIENT PAUSE 10000 WRITE").await;
        until("a replica to have all data", async || {
            let (held, copied) = (offset(master).await, offset(replica).await);
            held.is_some() && held == copied
        })
        .await
    }

    /// Gives the place of a master to its replica, as an operator would.
    pub async fn fail_over(&self, index: usize) -> Result<(), RedisError> {
        self.replicas[index].server.tell("CLUSTER FAILOVER").await;
        self.has_failed_over(index).await
    }

    /// Begins to move a slot from a master to another: keys that are not there yet are to be
    /// asked for at the new one.
    pub async fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (from, to) = (&self.masters[from], &self.masters[to]);
        let importing = format!("CLUSTER SETSLOT {slot} IMPORTING {}", from.id);
        to.server.tell(&importing).await;
        let migrating = format!("CLUSTER SETSLOT {slot} MIGRATING {}", to.id);
        from.server.tell(&migrating).await;
    }

    /// Moves the keys of such a slot, and ends the move.
    pub async fn end_move(&self, slot: u16, from: usize, to: usize) {
        let (from, to) = (&self.masters[from], &self.masters[to]);
        let port = to.server.port();
        loop {
            let asks = format!("CLUSTER GETKEYSINSLOT {slot} 100\r\nQUIT");
            let answer = wire::ask(from.server.port(), &asks)
                .await
                .unwrap_or_default();
            let keys: Vec<&str> = answer
                .lines()
                .filter(|line| !line.starts_with(['*', '$', '+']))
                .collect();
            if keys.is_empty() {
                break;
            }
            let keys = keys.join(" ");
            let moves = format!("MIGRATE 127.0.0.1 {port} \"\" 0 5000 KEYS {keys}");
            from.server.tell(&moves).await;
        }
        let ends = format!("CLUSTER SETSLOT {slot} NODE {}", to.id);
        for node in [to, from].into_iter().chain(&self.masters) {
            node.server.tell(&ends).await;
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.masters.iter().chain(&self.replicas)
    }

    /// Waits until each node says that of the cluster.
    async fn all(&self, what: &'static str, line: &str) -> Result<(), RedisError> {
        for node in self.nodes() {
            until(what, async || node.says(line).await).await?;
        }
        Ok(())
    }
}

/// How much of the writes a server has.
async fn offset(server: &RedisServer) -> Option<u64> {
    let answer = wire::ask(server.port(), "INFO replication\r\nQUIT")
        .await
        .ok()?;
    let mut lines = answer.lines();
    lines.find_map(|line| line.strip_prefix("master_repl_offset:")?.parse().ok())
}

impl Node {
    async fn start(
        options: &ClusterOptions,
        number: u16,
        certificates: Option<&Certificates>,
    ) -> Result<Self, RedisError> {
        let started = async |port| Self::start_on(port, options, number, certificates).await;
        let is_in_use = |error: &RedisError| matches!(error, RedisError::PortInUse { .. });
        let port = options.first_port.map(|first| first + number);
        on_a_port(port, started, RedisError::NoFreePort, is_in_use).await
    }

    /// Its other ports are free ones, too, and may be what another process took: each try has
    /// others.
    async fn start_on(
        port: u16,
        options: &ClusterOptions,
        number: u16,
        certificates: Option<&Certificates>,
    ) -> Result<Self, RedisError> {
        let bus_port = free_port().map_err(RedisError::NoFreePort)?;
        let node_timeout = options.node_timeout.as_millis().to_string();
        let mut more = vec![
            ("--cluster-enabled", "yes".into()),
            ("--cluster-port", bus_port.to_string().into()),
            ("--cluster-node-timeout", node_timeout.into()),
            ("--cluster-replica-validity-factor", "0".into()),
            ("--repl-diskless-sync-delay", "0".into()),
        ];
        let mut tls_port = None;
        if let Some(certificates) = certificates {
            let port = free_port().map_err(RedisError::NoFreePort)?;
            more.extend(tls_settings(certificates, port, AsksClients::Never));
            more.push(("--tls-cluster", "yes".into()));
            tls_port = Some(port);
        }
        let directory = options.directory.as_ref();
        let directory = directory.map(|all| all.join(format!("node-{}", number + 1)));
        let append_fsync = options.append_fsync;
        let server =
            RedisServer::start_as(Some(port), directory.as_deref(), append_fsync, &more).await?;
        let answer = wire::ask(server.port(), "CLUSTER MYID\r\nQUIT").await;
        let id = answer.ok().and_then(|answer| {
            let id = answer.lines().nth(1)?;
            Some(id.to_owned())
        });
        Ok(Self {
            server,
            bus_port,
            tls_port,
            id: id.unwrap_or_default(),
        })
    }

    async fn says(&self, line: &str) -> bool {
        let answer = wire::ask(self.server.port(), "CLUSTER INFO\r\nQUIT").await;
        answer.is_ok_and(|answer| answer.lines().any(|said| said == line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cluster_takes_writes_and_a_replica_the_place_of_a_killed_master() {
        let mut cluster = RedisCluster::start(3, true).await.unwrap();
        // The slot of `a` is 15495, hence the last master's.
        let set = async |server: &RedisServer| {
            let answer = wire::ask(server.port(), "SET a 1\r\nQUIT").await;
            answer.unwrap_or_default()
        };
        let answer = set(cluster.master(2)).await;
        assert!(answer.starts_with("+OK"), "{answer}");
        let answer = set(cluster.master(0)).await;
        assert!(answer.starts_with("-MOVED 15495"), "{answer}");

        cluster.kill_master_with_a_copy(2).await.unwrap();
        until("a replica to take writes", async || {
            set(&cluster.replicas[2].server).await.starts_with("+OK")
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_slot_moves_with_its_keys() {
        let cluster = RedisCluster::start(2, false).await.unwrap();
        let ask = async |index: usize, command: &str| {
            let commands = format!("{command}\r\nQUIT");
            let answer = wire::ask(cluster.master(index).port(), &commands).await;
            answer.unwrap_or_default()
        };
        assert!(ask(1, "SET a 1").await.starts_with("+OK"));

        cluster.begin_move(15_495, 1, 0).await;
        assert!(ask(1, "SET {a}new 1").await.starts_with("-ASK 15495"));
        assert!(ask(1, "GET a").await.starts_with("$1"));
        cluster.end_move(15_495, 1, 0).await;

        assert!(ask(0, "GET a").await.starts_with("$1"));
        assert!(ask(1, "GET a").await.starts_with("-MOVED 15495"));
    }
}
