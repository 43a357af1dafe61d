use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, Script};
use tracing::{info, warn};

use super::connection::{Connection, RedisMetrics};
use super::mails::{claim_script, end_script, release_script};
use super::rows::marking_script;
use crate::outage::Outage;
use crate::service::{RedisSettings, StartError};

/// The oldest major version with `SET … NX GET`.
const OLDEST_MAJOR: u32 = 7;

/// The ledger in Redis. Cloning shares the connection; every method waits at
/// most the operation timeout.
#[derive(Clone)]
pub struct RedisLedger {
    pub(super) connection: Connection,
    pub(super) outage: Outage,
    /// How long claims and imports are kept; `None`: for ever.
    pub(super) expiration: Option<Duration>,
    /// Records once what became of a row (see `rows`).
    pub(super) marking: Arc<Script>,
    /// Claims e-mails, gives claims back, and ends e-mails (see `mails`).
    pub(super) claim_mails: Arc<Script>,
    pub(super) release_mails: Arc<Script>,
    pub(super) end_mails: Arc<Script>,
}

impl std::fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLedger").finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// Connects, with the tries that the settings allow, and checks that
    /// Redis is what the promises need. Later the connection mends itself.
    ///
    /// # Errors
    /// When Redis does not answer, or is older than 7.0.
    pub async fn connect(
        settings: &RedisSettings,
        expiration: Option<Duration>,
    ) -> Result<Self, StartError> {
        let manager = Self::manager(settings).map_err(|error| unreachable_at(settings, &error))?;
        let mut tries = 0;
        let info = loop {
            match server_info(manager.clone()).await {
                Ok(info) => break info,
                Err(error) if tries < settings.connect_retries => {
                    tries += 1;
                    warn!(%error, tries, "Redis does not answer, trying again");
                    tokio::time::sleep(settings.connect_retry_interval).await;
                }
                Err(error) => return Err(unreachable_at(settings, &error)),
            }
        };
        check_version(&info)?;
        warn_of_risks(&info);
        if expiration.is_some() {
            warn!(
                "REDIS_DATA_EXPIRATION is above 0: a debt may be billed again once its key is gone"
            );
        }
        Ok(Self {
            connection: Connection {
                manager,
                metrics: None,
            },
            outage: Outage::new("Redis"),
            expiration,
            marking: Arc::new(marking_script()),
            claim_mails: Arc::new(claim_script()),
            release_mails: Arc::new(release_script()),
            end_mails: Arc::new(end_script()),
        })
    }

    /// The same ledger; its calls, and those of its clones from now on, are
    /// observed.
    #[must_use]
    pub fn observed(mut self, metrics: RedisMetrics) -> Self {
        self.connection.metrics = Some(metrics);
        self
    }

    fn manager(settings: &RedisSettings) -> Result<ConnectionManager, RedisError> {
        let address = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
        let info = address
            .into_connection_info()?
            .set_redis_settings(RedisConnectionInfo::default().set_db(settings.database))
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.operation_timeout))
            .set_number_of_retries(0);
        ConnectionManager::new_lazy_with_config(Client::open(info)?, config)
    }
}

async fn server_info(mut connection: ConnectionManager) -> Result<String, RedisError> {
    redis::cmd("INFO").query_async(&mut connection).await
}

fn unreachable_at(settings: &RedisSettings, error: &RedisError) -> StartError {
    StartError::Redis(format!(
        "Redis at {}:{} cannot be used: {error}; check REDIS_HOST and REDIS_PORT, or start it",
        settings.host, settings.port
    ))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn check_version(info: &str) -> Result<(), StartError> {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_some_and(|major: u32| major >= OLDEST_MAJOR) {
        info!(version, "Redis answers");
        Ok(())
    } else {
        Err(StartError::Unsuitable(format!(
            "REDIS_HOST names a Redis of version {version}; it takes one of 7.0 or later"
        )))
    }
}

fn warn_of_risks(info: &str) {
    if field(info, "aof_enabled") == Some("0") {
        warn!("Redis runs without AOF: what it forgets at a crash is billed and mailed again");
    }
    if field(info, "maxmemory_policy").is_some_and(|policy| policy != "noeviction") {
        warn!("Redis may evict keys: an evicted debt is billed and mailed again; set noeviction");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_must_be_7_or_later() {
        assert!(check_version("# Server\r\nredis_version:7.0.15\r\n").is_ok());
        assert!(check_version("redis_version:10.1\r\n").is_ok());
        for info in ["redis_version:6.2.1\r\n", "redis_version:x\r\n", ""] {
            assert!(matches!(
                check_version(info),
                Err(StartError::Unsuitable(_))
            ));
        }
    }
}
