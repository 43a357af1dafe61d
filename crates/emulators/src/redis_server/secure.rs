//! A server with TLS and a user of its own.

use std::{ffi::OsString, io, time::Duration};

use tokio::time::{self, Instant};

use super::{AppendFsync, POLL_INTERVAL, RedisError, RedisServer, wire};
use crate::certificates::Certificates;
use crate::server_process::on_a_port;

/// Longest wait for a user to be known.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whom a server with TLS answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsksClients {
    /// Everybody.
    Never,
    /// Those alone whose certificate is of the authority.
    Always,
}

/// A Redis that is asked over TLS, on a port of its own; the port of the
/// [server](Self::server) is for whoever manages it.
#[derive(Debug)]
pub struct SecureRedis {
    server: RedisServer,
    tls_port: u16,
}

impl SecureRedis {
    /// Starts it with those certificates.
    pub async fn start(
        certificates: &Certificates,
        asks_clients: AsksClients,
    ) -> Result<Self, RedisError> {
        let start = async |tls_port| {
            let more = tls_settings(certificates, tls_port, asks_clients);
            let server = RedisServer::start_as(None, None, AppendFsync::default(), &more).await?;
            Ok(Self { server, tls_port })
        };
        let is_in_use = |error: &RedisError| matches!(error, RedisError::PortInUse { .. });
        on_a_port(None, start, RedisError::NoFreePort, is_in_use).await
    }

    /// The port that speaks TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The server, which its own port manages without TLS and password.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }
}

/// Redis' own settings for a port that speaks TLS.
pub(super) fn tls_settings(
    certificates: &Certificates,
    port: u16,
    asks_clients: AsksClients,
) -> [(&'static str, OsString); 5] {
    let [certificate, key] = certificates.server();
    let asks = match asks_clients {
        AsksClients::Never => "no",
        AsksClients::Always => "yes",
    };
    [
        ("--tls-port", port.to_string().into()),
        ("--tls-cert-file", certificate.into()),
        ("--tls-key-file", key.into()),
        ("--tls-ca-cert-file", certificates.authority().into()),
        ("--tls-auth-clients", asks.into()),
    ]
}

impl RedisServer {
    /// Makes a user known, or changes it: `rules` are those of `ACL SETUSER`.
    ///
    /// # Errors
    /// What Redis answers, or that it does not.
    pub async fn set_user(&self, name: &str, rules: &str) -> io::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let asked = wire::ask(self.port, &format!("ACL SETUSER {name} {rules}\r\nQUIT")).await;
            match asked {
                Ok(answer) if answer.starts_with("+OK") => return Ok(()),
                Ok(answer) if answer.starts_with("-ERR") => return Err(io::Error::other(answer)),
                _ if Instant::now() >= deadline => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                _ => time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}
