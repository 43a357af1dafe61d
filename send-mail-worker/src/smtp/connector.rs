//! Opens connections: TCP, greeting, TLS, login.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::connection::Connection;
use super::failure::Failure;
use super::outcome::MailServerAway;
use super::settings::SmtpSettings;
use super::tls::{Security, SmtpSetupError};

/// Opens connections to one server.
pub(super) struct Connector {
    host: String,
    port: u16,
    security: Security,
    login: Option<Credentials>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(settings: SmtpSettings) -> Result<Self, SmtpSetupError> {
        Ok(Self {
            security: Security::new(&settings)?,
            host: settings.host,
            port: settings.port,
            login: settings.login,
            timeout: settings.timeout,
        })
    }

    /// A connection that is greeted and logged in.
    pub(super) async fn open(&self) -> Result<Connection, MailServerAway> {
        match timeout(self.timeout, self.dial()).await {
            Ok(Ok(smtp)) => Ok(Connection::new(smtp, self.timeout)),
            Ok(Err((step, failure))) => Err(MailServerAway(format!("{step}: {failure}"))),
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                Err(MailServerAway(format!("no connection in {seconds} s")))
            }
        }
    }

    async fn dial(&self) -> Result<AsyncSmtpConnection, (&'static str, Failure)> {
        let (stream, name) = self.connect().await.map_err(|error| {
            let failure = Failure::Lost(error.to_string());
            ("it cannot be reached", failure)
        })?;
        let mut smtp = AsyncSmtpConnection::connect_with_transport(stream, &name)
            .await
            .map_err(step("it does not let us in"))?;
        if let Security::StartTls(parameters) = &self.security {
            smtp.starttls(parameters.clone(), &name)
                .await
                .map_err(step("STARTTLS failed"))?;
        }
        if let Some(login) = &self.login {
            smtp.auth(DEFAULT_MECHANISMS, login)
                .await
                .map_err(step("the login failed"))?;
        }
        Ok(smtp)
    }

    async fn connect(&self) -> io::Result<(Box<dyn AsyncTokioStream>, ClientId)> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // A message and its end are two writes: with Nagle's algorithm the
        // second one waits until the server has acknowledged the first one,
        // which servers put off for 40 ms.
        tcp.set_nodelay(true)?;
        // Workers have no name of their own (RFC 5321, section 4.1.4).
        let name = match tcp.local_addr()?.ip() {
            IpAddr::V4(address) => ClientId::Ipv4(address),
            IpAddr::V6(address) => ClientId::Ipv6(address),
        };
        let stream: Box<dyn AsyncTokioStream> = match &self.security {
            Security::None | Security::StartTls(_) => Box::new(tcp),
            Security::Implicit(connector, host) => {
                Box::new(Secured(connector.connect(host.clone(), tcp).await?))
            }
        };
        Ok((stream, name))
    }
}

/// The login is not shown.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn step(
    step: &'static str,
) -> impl FnOnce(lettre::transport::smtp::Error) -> (&'static str, Failure) {
    move |error| (step, error.into())
}

/// TLS, in the form in which lettre takes a stream.
#[derive(Debug)]
struct Secured(TlsStream<TcpStream>);

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
