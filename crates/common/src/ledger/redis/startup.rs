use std::sync::Arc;

use redis::RedisError;
use tracing::{info, warn};

use super::RedisLedger;
use super::channels::{claim_script, end_script, release_script};
use super::connection::Connection;
use super::info::field;
use super::rows::marking_script;
use super::undeliverable::{record_script, reopen_script};
use crate::ledger::{LedgerMetrics, RedisSettings};
use crate::runtime::{Outage, ServiceError};

/// The oldest major version with `SET … NX GET`.
const OLDEST_MAJOR: u32 = 7;

impl RedisLedger {
    /// Connects, with the tries that the settings allow, and checks that
    /// Redis is what the promises need. Later the connection mends itself.
    ///
    /// # Errors
    /// When Redis does not answer, is a replica, or is older than 7.0.
    pub async fn connect(
        settings: &RedisSettings,
        metrics: Option<LedgerMetrics>,
    ) -> Result<Self, ServiceError> {
        let connection =
            Connection::new(settings, metrics).map_err(|error| unusable_at(settings, &error))?;
        let mut tries = 0;
        let info = loop {
            match server_info(connection.clone()).await {
                Ok(info) => break info,
                Err(error) if tries < settings.connect_retries => {
                    tries += 1;
                    warn!(%error, tries, "Redis cannot be used, trying again");
                    tokio::time::sleep(settings.connect_retry_interval).await;
                }
                Err(error) => return Err(unusable_at(settings, &error)),
            }
        };
        check_version(&info)?;
        warn_of_risks(&info);
        if settings.expiration.is_some() {
            warn!(
                "REDIS_DATA_EXPIRATION is above 0: a debt may be billed again once its key is gone"
            );
        }
        Ok(Self {
            connection,
            outage: Outage::new("Redis"),
            expiration: settings.expiration,
            marking: Arc::new(marking_script()),
            claim_sends: Arc::new(claim_script()),
            release_sends: Arc::new(release_script()),
            end_sends: Arc::new(end_script()),
            record_undeliverable: Arc::new(record_script()),
            reopen_undeliverable: Arc::new(reopen_script()),
        })
    }
}

async fn server_info(mut connection: Connection) -> Result<String, RedisError> {
    redis::cmd("INFO").query_async(&mut connection).await
}

fn unusable_at(settings: &RedisSettings, error: &RedisError) -> ServiceError {
    ServiceError::Ledger(format!(
        "Redis at {}:{} cannot be used: {error}; check REDIS_HOST and REDIS_PORT, or start the master",
        settings.host, settings.port
    ))
}

fn check_version(info: &str) -> Result<(), ServiceError> {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_some_and(|major: u32| major >= OLDEST_MAJOR) {
        info!(version, "Redis answers");
        Ok(())
    } else {
        Err(ServiceError::Unsuitable(format!(
            "REDIS_HOST names a Redis of version {version}; it takes one of 7.0 or later"
        )))
    }
}

fn warn_of_risks(info: &str) {
    if field(info, "aof_enabled") == Some("0") {
        warn!("Redis runs without AOF: debts lost in a crash are billed and mailed again");
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
                Err(ServiceError::Unsuitable(_))
            ));
        }
    }
}
