//! What the server of a ledger says of itself.

use emulators::{
    postgres_server::PostgresFacts,
    redis_server::{AppendFsync, RedisFacts},
};
use serde::{Deserialize, Serialize};

use super::LedgerKind;

/// What the server of a ledger says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct LedgerFacts {
    /// Which server it is.
    pub(crate) kind: LedgerKind,
    /// Its version.
    pub(crate) version: String,
    /// The settings that say when an answer is on disk, in its own words.
    pub(crate) durability: String,
    /// Bytes that the ledger takes: memory of Redis, of all nodes of a cluster together; the size
    /// of the database of PostgreSQL.
    pub(crate) bytes: u64,
}

/// The facts of a file: of today, or of the time when there was Redis alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Today {
        kind: LedgerKind,
        version: String,
        durability: String,
        bytes: u64,
    },
    OfRedis(RedisFacts),
}

impl From<Written> for LedgerFacts {
    fn from(written: Written) -> Self {
        match written {
            Written::Today {
                kind,
                version,
                durability,
                bytes,
            } => Self {
                kind,
                version,
                durability,
                bytes,
            },
            Written::OfRedis(facts) => Self::of_redis(LedgerKind::Redis, [facts]),
        }
    }
}

impl LedgerFacts {
    /// Of one Redis, or of the nodes of a cluster.
    pub(super) fn of_redis(kind: LedgerKind, nodes: impl IntoIterator<Item = RedisFacts>) -> Self {
        let mut facts = Self {
            kind,
            version: String::new(),
            durability: String::new(),
            bytes: 0,
        };
        for node in nodes {
            let durability = redis_durability(&node.append_only, &node.append_fsync);
            facts.bytes += node.used_memory_bytes;
            facts.version = node.version;
            // One node that differs is told of.
            if !facts.durability.contains(&durability) {
                if !facts.durability.is_empty() {
                    facts.durability.push_str(" and ");
                }
                facts.durability.push_str(&durability);
            }
        }
        facts
    }

    /// Of one PostgreSQL.
    pub(super) fn of_postgres(facts: PostgresFacts) -> Self {
        let settings = [
            facts.fsync,
            facts.full_page_writes,
            facts.synchronous_commit,
        ];
        Self {
            kind: LedgerKind::Postgres,
            version: facts.version,
            durability: postgres_durability(&settings),
            bytes: facts.database_bytes,
        }
    }

    /// What is not as the run asked for, in words.
    pub(crate) fn problem(&self, append_fsync: AppendFsync) -> Option<String> {
        let asked = match self.kind {
            LedgerKind::Redis | LedgerKind::RedisCluster => {
                redis_durability("yes", &append_fsync.to_string())
            }
            LedgerKind::Postgres => postgres_durability(&["on"; 3].map(str::to_owned)),
        };
        (self.durability != asked).then(|| {
            let (kind, found) = (self.kind, &self.durability);
            format!("{kind} is not as it must be: {found} instead of {asked}")
        })
    }
}

fn redis_durability(append_only: &str, append_fsync: &str) -> String {
    format!("appendonly {append_only}, appendfsync {append_fsync}")
}

fn postgres_durability([fsync, full_page_writes, synchronous_commit]: &[String; 3]) -> String {
    format!(
        "fsync {fsync}, full_page_writes {full_page_writes}, synchronous_commit {synchronous_commit}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(append_fsync: &str) -> RedisFacts {
        RedisFacts {
            version: "7.0.15".into(),
            append_only: "yes".into(),
            append_fsync: append_fsync.into(),
            used_memory_bytes: 1_000,
        }
    }

    #[test]
    fn the_nodes_of_a_cluster_add_up_and_each_must_keep_what_it_is_told() {
        let facts =
            |nodes: [&str; 3]| LedgerFacts::of_redis(LedgerKind::RedisCluster, nodes.map(node));
        let safe = facts(["always"; 3]);
        assert_eq!(safe.bytes, 3_000);
        assert_eq!(safe.durability, "appendonly yes, appendfsync always");
        assert_eq!(safe.problem(AppendFsync::Always), None);
        assert!(safe.problem(AppendFsync::Everysec).is_some());

        let one_differs = facts(["always", "everysec", "always"]);
        let problem = one_differs.problem(AppendFsync::Always).unwrap();
        assert!(problem.contains("everysec"), "{problem}");
    }

    #[test]
    fn postgres_must_wait_for_its_disk_whatever_redis_is_told() {
        let facts = |fsync: &str| {
            LedgerFacts::of_postgres(PostgresFacts {
                version: "15.13".into(),
                fsync: fsync.into(),
                full_page_writes: "on".into(),
                synchronous_commit: "on".into(),
                database_bytes: 8_000_000,
            })
        };
        assert_eq!(facts("on").problem(AppendFsync::Everysec), None);
        let problem = facts("off").problem(AppendFsync::Everysec).unwrap();
        let told = "PostgreSQL is not as it must be: fsync off, full_page_writes on, \
                    synchronous_commit on instead of fsync on, full_page_writes on, \
                    synchronous_commit on";
        assert_eq!(problem, told);
    }

    #[test]
    fn facts_of_the_time_of_redis_alone_can_be_read() {
        let earlier = serde_json::to_value(node("everysec")).unwrap();

        let read: LedgerFacts = serde_json::from_value(earlier).unwrap();

        let facts = LedgerFacts::of_redis(LedgerKind::Redis, [node("everysec")]);
        assert_eq!(read, facts);
        let written = serde_json::to_value(&facts).unwrap();
        assert_eq!(
            serde_json::from_value::<LedgerFacts>(written).unwrap(),
            facts
        );
    }
}
