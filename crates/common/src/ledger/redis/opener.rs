//! How a connection is opened: to a master, and so that a host that is gone is
//! noticed.

use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};

use super::info::field;
use crate::ledger::RedisSettings;

/// Time without traffic after which the host is asked for a sign of life, and
/// between two such questions.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Time without an acknowledgement after which the system ends a connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens connections to the Redis of the settings.
#[derive(Clone)]
pub(super) struct Opener {
    client: Client,
    config: AsyncConnectionConfig,
    timeout: Duration,
}

impl Opener {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, RedisError> {
        let address = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
        let info = address
            .into_connection_info()?
            .set_redis_settings(RedisConnectionInfo::default().set_db(settings.database))
            .set_tcp_settings(tcp_settings());
        Ok(Self {
            client: Client::open(info)?,
            config: AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(Some(settings.operation_timeout)),
            timeout: settings.connect_timeout,
        })
    }

    /// Number of the logical database.
    pub(super) fn database(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }

    /// Opens a connection. The name of the host is looked up each time: after
    /// a failover it may have another address.
    ///
    /// # Errors
    /// All of them pass: the fault is the server's or the network's, and never
    /// the call's.
    pub(super) async fn open(&self) -> Result<MultiplexedConnection, RedisError> {
        match tokio::time::timeout(self.timeout, self.open_to_master()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(io::Error::other(error).into()),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// A replica is an error. It answers reads with data that may be old, and
    /// there are calls that only read.
    async fn open_to_master(&self) -> Result<MultiplexedConnection, RedisError> {
        let opened = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config);
        let mut connection = opened.await?;
        let mut ask = redis::cmd("INFO");
        let info: String = ask.arg("replication").query_async(&mut connection).await?;
        if field(&info, "role") != Some("slave") {
            return Ok(connection);
        }
        let [host, port] = ["master_host", "master_port"].map(|name| field(&info, name));
        let (host, port) = (host.unwrap_or("?"), port.unwrap_or("?"));
        let replica = format!("it is a replica of {host}:{port}, which takes no writes");
        Err(io::Error::other(replica).into())
    }
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    settings
}
