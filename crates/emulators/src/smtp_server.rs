//! An SMTP server that takes every message, or does what it is told to do wrong.
//!
//! It is for development and tests: it listens on 127.0.0.1 only and passes nothing on.

mod codec;
mod command;
mod fault;
mod inbox;
mod session;
mod tls;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::connections::serve_each;
use fault::Faults;
use inbox::Inbox;
use session::Session;
use tls::Identity;

pub use fault::{Act, Fault, Stage};
pub use inbox::{Figures, Keep, TakenMessage};

/// What a server is like.
#[derive(Debug, Clone, Default)]
pub struct SmtpServerOptions {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// How connections are secured.
    pub tls: ServerTls,
    /// Whether its certificate may also sign others, as `openssl req -x509` makes them.
    pub certificate_of_authority: bool,
    /// The login that it asks for.
    pub login: Option<ServerLogin>,
    /// Whether it takes addresses that are not ASCII (SMTPUTF8).
    pub utf8_addresses: bool,
    /// What it keeps of the messages.
    pub keep: Keep,
}

/// How a server secures its connections, with a certificate of its own for `localhost` and
/// 127.0.0.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerTls {
    /// Not at all.
    #[default]
    None,
    /// It offers STARTTLS.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// The login that a server asks for before it takes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLogin {
    /// What it offers: `PLAIN`, `LOGIN`, or both with a blank between.
    pub mechanisms: &'static str,
    /// The user that it knows.
    pub username: String,
    /// The password of that user.
    pub password: String,
}

/// The server does not start.
#[derive(Debug, thiserror::Error)]
pub enum SmtpServerError {
    /// The port.
    #[error("cannot listen on port {port} of 127.0.0.1: {source}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system answered.
        source: io::Error,
    },
    /// The folder for the messages.
    #[error("cannot use `{path}` for the messages: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The certificate.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

/// A running server. Dropping it closes its connections and its port.
#[derive(Debug)]
pub struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What the connections of a server share.
#[derive(Debug)]
struct Shared {
    options: SmtpServerOptions,
    identity: Option<Identity>,
    faults: Faults,
    inbox: Inbox,
    /// Connections ever taken.
    accepted: AtomicU64,
    /// Clients that said QUIT.
    goodbyes: AtomicU64,
    /// Raised to close the connections that are open.
    closings: watch::Sender<u64>,
    open: watch::Sender<u64>,
}

impl SmtpServer {
    /// Starts a server that takes everything without TLS and keeps it in memory, on a free port.
    pub async fn start() -> Result<Self, SmtpServerError> {
        Self::start_with(SmtpServerOptions::default()).await
    }

    /// Starts a server like that.
    pub async fn start_with(options: SmtpServerOptions) -> Result<Self, SmtpServerError> {
        let port = options.port;
        let failed = |source| SmtpServerError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let identity = match options.tls {
            ServerTls::None => None,
            ServerTls::StartTls | ServerTls::Implicit => {
                Some(Identity::make(options.certificate_of_authority)?)
            }
        };
        let shared = Arc::new(Shared {
            identity,
            faults: Faults::default(),
            inbox: Inbox::new(options.keep.clone())?,
            options,
            accepted: AtomicU64::new(0),
            goodbyes: AtomicU64::new(0),
            closings: watch::Sender::new(0),
            open: watch::Sender::new(0),
        });
        Ok(Self {
            address,
            server: tokio::spawn(serve(listener, Arc::clone(&shared))),
            shared,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that its clients must trust, in the PEM format; `None` without TLS.
    pub fn certificate(&self) -> Option<&str> {
        let identity = self.shared.identity.as_ref()?;
        Some(identity.certificate())
    }

    /// Does that wrong from now on.
    pub fn misbehave(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Does nothing wrong any more.
    pub fn behave(&self) {
        self.shared.faults.clear();
    }

    /// The messages it took, in their order, where it keeps them.
    pub fn messages(&self) -> Vec<TakenMessage> {
        self.shared.inbox.messages()
    }

    /// How much it took.
    pub fn figures(&self) -> Figures {
        self.shared.inbox.figures()
    }

    /// How many connections it ever took.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many clients said QUIT.
    pub fn goodbyes(&self) -> u64 {
        self.shared.goodbyes.load(Ordering::Relaxed)
    }

    /// Closes the connections that are open, and returns when they are.
    pub async fn close_connections(&self) {
        self.shared.closings.send_modify(|closings| *closings += 1);
        let mut open = self.shared.open.subscribe();
        // The sender is held here, so that it cannot be gone.
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Serves until the task is aborted, which ends the connections as well.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let served = |client| {
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        shared.open.send_modify(|open| *open += 1);
        serve_connection(client, Arc::clone(&shared))
    };
    serve_each(listener, served).await;
}

async fn serve_connection(client: TcpStream, shared: Arc<Shared>) {
    let mut closings = shared.closings.subscribe();
    tokio::select! {
        // What a client does wrong or breaks off is its own affair.
        _ = converse(client, &shared) => {}
        _ = closings.changed() => {}
    }
    shared.open.send_modify(|open| *open -= 1);
}

/// One client, from its first byte or from STARTTLS on over TLS.
async fn converse(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    match (&shared.identity, shared.options.tls) {
        (Some(identity), ServerTls::Implicit) => {
            let client = identity.acceptor().accept(client).await?;
            Session::new(shared, true).greet(client).await?;
        }
        (Some(identity), _) => {
            let Some(client) = Session::new(shared, false).greet(client).await? else {
                return Ok(());
            };
            let client = identity.acceptor().accept(client).await?;
            Session::new(shared, true).go_on(client).await?;
        }
        (None, _) => {
            Session::new(shared, false).greet(client).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
