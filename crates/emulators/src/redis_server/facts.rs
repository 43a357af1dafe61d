//! What a running server says of itself.

use std::io;

use serde::{Deserialize, Serialize};

use super::wire;

/// What a running server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisFacts {
    /// Its version.
    pub version: String,
    /// `appendonly`: whether it keeps what it is told, `yes` or `no`.
    pub append_only: String,
    /// `appendfsync`: when that is on disk.
    pub append_fsync: String,
    /// Bytes that it has allocated.
    pub used_memory_bytes: u64,
}

impl RedisFacts {
    /// Asks the server on that port.
    pub(super) async fn ask(port: u16) -> io::Result<Self> {
        let commands = "INFO server\r\nINFO memory\r\nCONFIG GET appendonly\r\n\
                        CONFIG GET appendfsync\r\nQUIT";
        let answer = wire::ask(port, commands).await?;
        Self::read(&answer).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "Redis does not say how it is configured",
            )
        })
    }

    /// `INFO` answers with lines `name:value`, `CONFIG GET` with name and value, each after a line
    /// with its length.
    fn read(answer: &str) -> Option<Self> {
        let lines: Vec<&str> = answer.lines().collect();
        let info = |name: &str| {
            let mut values = lines.iter().filter_map(|line| line.split_once(':'));
            values.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let setting = |name: &str| {
            let place = lines.iter().position(|line| *line == name)?;
            lines.get(place + 2).map(|value| (*value).to_owned())
        };
        Some(Self {
            version: info("redis_version")?.to_owned(),
            append_only: setting("appendonly")?,
            append_fsync: setting("appendfsync")?,
            used_memory_bytes: info("used_memory")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_figure_is_not_read() {
        let answer = "$20\r\n# Server\r\nredis_version:7.0.15\r\n\r\n\
                      $20\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n\r\n\
                      *2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n\
                      *2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n+OK\r\n";
        let facts = RedisFacts {
            version: "7.0.15".into(),
            append_only: "no".into(),
            append_fsync: "always".into(),
            used_memory_bytes: 1_048_576,
        };

        assert_eq!(RedisFacts::read(answer), Some(facts));
        for missing in ["redis_version", "used_memory:", "appendonly", "appendfsync"] {
            let answer = answer.replace(missing, "other:");
            assert_eq!(RedisFacts::read(&answer), None, "{missing}");
        }
    }
}
