//! Opens connections: TCP, greeting, TLS, login.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, Waits};
use super::dialogue::{Dialogue, Stream};
use super::failure::{Failure, NotOpened, at_step};
use super::hello::{Abilities, say_hello};
use super::login::{Login, log_in};
use super::outcome::MailServerAway;
use super::settings::{SmtpSettings, TlsMode};
use super::tls::{SmtpSetupError, Trust};

/// Longest wait for each address of a server to answer at all.
const CONNECT: Duration = Duration::from_secs(10);
/// A host that answers no packet for so long is gone, however long its server
/// may take for an answer.
const GONE: Duration = Duration::from_mins(1);

/// Opens connections to one server.
pub(super) struct Connector {
    host: String,
    port: u16,
    helo_name: Option<String>,
    security: Security,
    login: Option<Login>,
    waits: Arc<Waits>,
    /// Every connection has a part in it.
    open: Arc<()>,
}

/// How a connection becomes a secure one.
enum Security {
    None,
    /// On demand.
    StartTls(Trust),
    /// From the first byte.
    Implicit(Trust),
}

/// What a step leads to.
type Opened<T> = Result<T, NotOpened>;

impl Connector {
    pub(super) fn new(settings: &SmtpSettings, waits: Waits) -> Result<Self, SmtpSetupError> {
        let trust = || Trust::of(&settings.host, &settings.extra_roots);
        Ok(Self {
            security: match settings.tls {
                TlsMode::None => Security::None,
                TlsMode::StartTls => Security::StartTls(trust()?),
                TlsMode::Implicit => Security::Implicit(trust()?),
            },
            host: settings.host.clone(),
            port: settings.port,
            helo_name: settings.helo_name.clone(),
            login: settings.login.clone(),
            waits: Arc::new(waits),
            open: Arc::default(),
        })
    }

    /// How many connections are open or about to be.
    pub(super) fn open_connections(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    /// A connection that is greeted and logged in.
    pub(super) async fn open(&self) -> Opened<Connection> {
        let open = Arc::clone(&self.open);
        let tcp = self.connect().await.map_err(at_step(CONNECTING))?;
        let name = match &self.helo_name {
            Some(name) => name.clone(),
            None => {
                address_literal(&tcp).map_err(|error| at_step(CONNECTING)(Failure::from(error)))?
            }
        };
        let tcp: Box<dyn Stream> = Box::new(tcp);
        let mut dialogue = match &self.security {
            Security::None => self.greeted(tcp).await?,
            Security::Implicit(trust) => self.greeted(self.secured(trust, tcp).await?).await?,
            Security::StartTls(trust) => {
                let clear = self.starttls(self.greeted(tcp).await?, &name).await?;
                Dialogue::new(self.secured(trust, clear).await?)
            }
        };
        let abilities = self.log_in(&mut dialogue, &name).await?;
        let waits = Arc::clone(&self.waits);
        Ok(Connection::new(dialogue, abilities, waits, open))
    }

    async fn greeted(&self, stream: Box<dyn Stream>) -> Opened<Dialogue> {
        let mut dialogue = Dialogue::new(stream);
        let greeting = dialogue.greeting(self.limit()).await;
        greeting.map_err(at_step(GREETING))?;
        Ok(dialogue)
    }

    /// Makes the server expect TLS.
    async fn starttls(&self, mut dialogue: Dialogue, name: &str) -> Opened<Box<dyn Stream>> {
        let lost = |why: &str| at_step(STARTTLS)(Failure::Lost(why.into()));
        let hello = say_hello(&mut dialogue, name, self.limit()).await?;
        if !hello.has(STARTTLS) {
            return Err(lost("the server does not offer it"));
        }
        let ready = dialogue.command(STARTTLS, self.limit()).await;
        ready.map_err(at_step(STARTTLS))?;
        let clear = dialogue.into_stream();
        clear.ok_or_else(|| lost("the server said more in the clear than it was asked"))
    }

    /// EHLO and login, over a stream that is as secure as it will be.
    async fn log_in(&self, dialogue: &mut Dialogue, name: &str) -> Opened<Abilities> {
        let abilities = say_hello(dialogue, name, self.limit()).await?;
        if let Some(login) = &self.login {
            log_in(dialogue, login, &abilities, self.limit()).await?;
        }
        Ok(abilities)
    }

    async fn secured(&self, trust: &Trust, clear: Box<dyn Stream>) -> Opened<Box<dyn Stream>> {
        let connector = TlsConnector::from(Arc::clone(&trust.config));
        let handshake = timeout(self.limit(), connector.connect(trust.name.clone(), clear)).await;
        match handshake {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(at_step("TLS")(Failure::from(error))),
            Err(_) => Err(at_step("TLS")(Failure::Late(self.limit()))),
        }
    }

    /// The first address of the host that answers.
    async fn connect(&self) -> Result<TcpStream, Failure> {
        let addresses = lookup_host((self.host.as_str(), self.port)).await;
        let mut failure = Failure::Lost("its name has no address".into());
        for address in addresses.map_err(Failure::from)? {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return prepared(tcp).map_err(Failure::from),
                Ok(Err(error)) => failure = Failure::from(error),
                Err(_) => failure = Failure::Late(CONNECT),
            }
        }
        Err(failure)
    }

    fn limit(&self) -> Duration {
        self.waits.answer
    }
}

impl NotOpened {
    /// Whether the server may have enough connections: it turns this one away
    /// before it knows who comes.
    pub(super) fn may_be_one_too_many(&self) -> bool {
        let is_at_the_door = matches!(self.step, GREETING | "EHLO" | "HELO");
        is_at_the_door && !self.failure.is_permanent()
    }
}

impl From<NotOpened> for MailServerAway {
    fn from(NotOpened { step, failure }: NotOpened) -> Self {
        let words = match &failure {
            // A server may repeat who wanted to log in.
            Failure::Refused(refusal) if !step.starts_with("AUTH") => refusal.words().to_string(),
            _ => String::new(),
        };
        let comma = if words.is_empty() { "" } else { ", " };
        Self(format!("{step}: {failure}{comma}{words}"))
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

const CONNECTING: &str = "it cannot be reached";
const GREETING: &str = "the greeting";
const STARTTLS: &str = "STARTTLS";

fn prepared(tcp: TcpStream) -> io::Result<TcpStream> {
    // A message and its end are two writes: with Nagle's algorithm the second
    // one waits until the server has acknowledged the first one, which servers
    // put off for 40 ms.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp);
    let probes = TcpKeepalive::new()
        .with_time(GONE / 2)
        .with_interval(GONE / 6);
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(GONE))?;
    Ok(tcp)
}

/// What a host says that has no name (RFC 5321, section 4.1.4).
fn address_literal(tcp: &TcpStream) -> io::Result<String> {
    Ok(match tcp.local_addr()?.ip() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    })
}
