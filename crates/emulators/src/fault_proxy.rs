//! A TCP proxy whose faults are switched on and off while connections are open.

mod relay;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
    task::JoinHandle,
};

use crate::connections::serve_each;
use relay::{Broken, relay};

/// What a proxy does to its connections, open ones and new ones alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultMode {
    /// Forwards everything.
    Pass,
    /// Resets open connections, and new ones at once.
    Refuse,
    /// Takes connections and forwards nothing, in neither direction, until the mode changes.
    Stall,
    /// Lets the server do its work, then resets the connection instead of passing the answer on:
    /// the server has committed, and the client does not know.
    ResetAfterCommit(Resets),
    /// Passes each answer on after that time.
    Slow(Duration),
}

/// Which answers a proxy keeps from the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resets {
    /// Share of the answers, 0 to 1. Chosen at random and not each *n*th, so that no client is in
    /// step with the fault and never gets on.
    pub share: f64,
    /// Only answers to requests that hold this text, such as the name of an operation.
    pub only_to: Option<&'static str>,
}

impl Resets {
    /// That share of all answers.
    pub fn of_all(share: f64) -> Self {
        Self {
            share,
            only_to: None,
        }
    }

    /// That share of the answers to requests that hold this text.
    pub fn of(share: f64, only_to: &'static str) -> Self {
        Self {
            share,
            only_to: Some(only_to),
        }
    }
}

/// A proxy before one server. It knows no protocol: what a server sends after it got something is
/// an answer. Dropping it closes its connections and its port.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    upstream: Mutex<SocketAddr>,
    mode: watch::Sender<FaultMode>,
    /// Sent where the connections that are open fall silent.
    silence: broadcast::Sender<()>,
    /// With a fixed seed: the same choices in each run.
    random: Mutex<Rng>,
    resets: AtomicU64,
}

impl FaultProxy {
    /// Starts on a free port of 127.0.0.1, in mode [`FaultMode::Pass`]. The server need not be
    /// there yet.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            mode: watch::Sender::new(FaultMode::Pass),
            silence: broadcast::Sender::new(1),
            random: Mutex::new(Rng::with_seed(1)),
            resets: AtomicU64::new(0),
        });
        let of_each = Arc::clone(&shared);
        let server = tokio::spawn(serve_each(listener, move |client| {
            serve_connection(client, Arc::clone(&of_each))
        }));
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients that speak HTTP.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it does from now on.
    pub fn set(&self, mode: FaultMode) {
        self.shared.mode.send_replace(mode);
    }

    /// Connects to this server from now on. Connections that are open stay with the one before,
    /// as after a failover.
    pub fn redirect(&self, upstream: SocketAddr) {
        *locked(&self.shared.upstream) = upstream;
    }

    /// Forwards nothing more on the connections that are open, and does not close them, as if
    /// the host behind them were gone. New ones are served.
    pub fn silence_open(&self) {
        // Nobody listens where no connection is open.
        let _ = self.shared.silence.send(());
    }

    /// Connections that it reset so far, by any mode: whether a fault was felt at all.
    pub fn resets(&self) -> u64 {
        self.shared.resets.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Whether chance takes the next answer.
    fn chance(&self, share: f64) -> bool {
        locked(&self.random).f64() < share
    }

    /// The server of new connections.
    fn upstream(&self) -> SocketAddr {
        *locked(&self.upstream)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve_connection(mut client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut silence = shared.silence.subscribe();
    let relayed = async {
        tokio::select! {
            ended = relay(&mut client, &shared) => return ended,
            _ = silence.recv() => {}
        }
        // Takes what comes until the client hangs up. That it does so with a reset is no matter.
        let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        Ok(())
    };
    let broken = tokio::select! {
        biased;
        _ = mode.wait_for(|mode| *mode == FaultMode::Refuse) => Err(Broken),
        ended = relayed => ended,
    };
    if broken.is_err() {
        shared.resets.fetch_add(1, Ordering::Relaxed);
        // With no time to linger, closing sends RST. A socket that refuses the option is closed.
        let _ = client.set_zero_linger();
    }
}

#[cfg(test)]
mod tests;
