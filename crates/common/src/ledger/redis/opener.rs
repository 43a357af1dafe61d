//! How a connection is opened: to a master or to a cluster, as the user of the
//! settings, and so that a host that is gone is noticed.

use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates,
};

use super::info::field;
use super::opened::Opened;
use super::place::{Address, Place};
use super::tls_files::TlsFiles;
use crate::ledger::RedisSettings;
#[cfg(target_os = "linux")]
use crate::ledger::reach::USER_TIMEOUT;
use crate::ledger::reach::{KEEPALIVE_AFTER, KEEPALIVE_INTERVAL};

/// A cluster is opened in two steps, each of which waits for nodes that are
/// silent: to those of the settings, and to those that they name. Both must
/// come to their end in the time for a connection, with some left.
const STEPS_OF_A_CLUSTER: u32 = 3;

/// Opens connections to the Redis of the settings.
#[derive(Clone)]
pub(super) struct Opener {
    /// One for each address of the settings.
    servers: Vec<Client>,
    logins: Logins,
    cluster: Option<ClusterClient>,
    config: AsyncConnectionConfig,
    timeout: Duration,
}

impl Opener {
    /// # Errors
    /// The certificates or the key of the settings cannot be used.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, RedisError> {
        let place = &settings.place;
        let certificates = place.uses_tls.then(|| certificates(&settings.tls_files));
        let logins = Logins {
            place: place.clone(),
            certificates: certificates.clone(),
        };
        let servers = place.addresses.iter().map(|address| logins.client(address));
        let servers: Vec<Client> = servers.collect::<Result<_, _>>()?;
        let cluster = if place.is_cluster {
            let nodes = servers.iter().map(Client::get_connection_info).cloned();
            let mut builder = ClusterClientBuilder::new(nodes)
                .tcp_settings(tcp_settings())
                .connection_timeout(settings.connect_timeout / STEPS_OF_A_CLUSTER)
                .response_timeout(settings.operation_timeout)
                .overall_response_timeout(Some(settings.operation_timeout));
            if let Some(certificates) = certificates {
                builder = builder.certs(certificates);
            }
            Some(builder.build()?)
        } else {
            None
        };
        Ok(Self {
            servers,
            logins,
            cluster,
            config: AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(Some(settings.operation_timeout)),
            timeout: settings.connect_timeout,
        })
    }

    /// Number of the logical database.
    pub(super) fn database(&self) -> i64 {
        let first = self.servers.first();
        first.map_or(0, |server| {
            server.get_connection_info().redis_settings().db()
        })
    }

    /// Opens a connection. The names of the hosts are looked up each time:
    /// after a failover they may have other addresses.
    ///
    /// # Errors
    /// All of them pass: the fault is the server's or the network's, and never
    /// the call's.
    pub(super) async fn open(&self) -> Result<Opened, RedisError> {
        let opened = tokio::time::timeout(self.timeout, async {
            match &self.cluster {
                Some(cluster) => Ok(Opened::Cluster(cluster.get_async_connection().await?)),
                None => self.open_to_master().await.map(Opened::Server),
            }
        });
        match opened.await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(io::Error::other(error).into()),
            Err(_) => Err(timed_out()),
        }
    }

    /// A connection of its own to the first server of the settings that
    /// answers, whatever its role.
    ///
    /// # Errors
    /// That of the last server, as it came.
    pub(super) async fn first_server(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut failed = timed_out();
        for server in &self.servers {
            match self.connect_in_time(server).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// A connection of its own to a node of the cluster.
    ///
    /// # Errors
    /// As it came.
    pub(super) async fn server_at(
        &self,
        address: &Address,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.connect_in_time(&self.logins.client(address)?).await
    }

    async fn connect_in_time(&self, server: &Client) -> Result<MultiplexedConnection, RedisError> {
        let connected = tokio::time::timeout(self.timeout, self.connect(server));
        connected.await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn connect(&self, server: &Client) -> Result<MultiplexedConnection, RedisError> {
        server
            .get_multiplexed_async_connection_with_config(&self.config)
            .await
    }

    /// A replica is an error. It answers reads with data that may be old, and
    /// there are calls that only read.
    async fn open_to_master(&self) -> Result<MultiplexedConnection, RedisError> {
        let server = self.servers.first().ok_or_else(timed_out)?;
        let mut connection = self.connect(server).await?;
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

/// How the user of the settings logs in, wherever that is.
#[derive(Clone)]
struct Logins {
    place: Place,
    certificates: Option<TlsCertificates>,
}

impl Logins {
    fn client(&self, address: &Address) -> Result<Client, RedisError> {
        let info = connection_address(address, self.place.uses_tls)
            .into_connection_info()?
            .set_redis_settings(redis_settings(&self.place))
            .set_tcp_settings(tcp_settings());
        match self.certificates.clone() {
            Some(certificates) => Client::build_with_tls(info, certificates),
            None => Client::open(info),
        }
    }
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

fn connection_address(address: &Address, uses_tls: bool) -> ConnectionAddr {
    let (host, port) = (address.host.clone(), address.port);
    if uses_tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn redis_settings(place: &Place) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_db(place.database);
    if let Some(username) = &place.login.username {
        info = info.set_username(username);
    }
    if let Some(password) = &place.login.password {
        info = info.set_password(password.reveal());
    }
    info
}

fn certificates(files: &TlsFiles) -> TlsCertificates {
    let client = files.client.as_ref().map(|client| ClientTlsConfig {
        client_cert: client.certificate.clone().into(),
        client_key: client.key.reveal().into(),
    });
    TlsCertificates {
        client_tls: client,
        root_cert: files.authorities.clone().map(Into::into),
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
