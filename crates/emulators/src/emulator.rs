//! SQS and SNS inside this process, over HTTP on one port.
//!
//! The emulator is the load carrier of tests and benchmarks: no Docker, no second process, and each
//! test can have its own. It keeps everything in memory, so nothing survives it.
//!
//! It has what the suite and its tests call, and refuses the rest: no FIFO queues, no tags, no
//! policies, no encryption. It checks no signature, and has one account and one region.
//!
//! Where it is laxer than AWS, a test that passes here proves less: each queue gives its messages in
//! their order and once, retention is stored but never applied, any number of messages may be in flight,
//! a publish answers after its delivery, and a receive names no MD5 of a body, as the SDK for Rust
//! checks none.

mod envelope;
mod filter_policy;
mod form;
mod message;
mod messages;
mod pipeline;
mod publication;
mod publish_form;
mod queue;
mod queue_api;
mod queue_depth;
mod queue_error;
mod queue_settings;
mod queue_wire;
mod queues;
mod router;
mod server;
mod stock;
mod topic_api;
mod topic_error;
mod topics;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};

pub use messages::{Attribute, StoredMessage};
pub use pipeline::{PipelineNames, PipelineResources, PipelineSettings};
pub use queue_depth::QueueDepth;
pub use queue_error::{QueueError, QueueErrorCode};
pub use topic_error::{TopicError, TopicErrorCode};

use queue_api::QueueApi;
use queues::Queues;
use router::Router;
use topic_api::TopicApi;
use topics::Topics;

/// The region of every queue and topic.
pub const REGION: &str = "us-east-1";

/// The account that owns every queue and topic.
pub const ACCOUNT_ID: &str = "000000000000";

/// What can go wrong with the emulator.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Another process listens on the address.
    #[error(
        "{address} is already in use: stop the process that holds it, or choose another port for \
         the emulator"
    )]
    AddressInUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on, for another reason.
    #[error("the emulator cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// A queue operation was refused.
    #[error("queue `{queue}`: {source}")]
    Queue {
        /// Name or URL of the queue.
        queue: String,
        /// What SQS answered.
        source: QueueError,
    },
    /// A topic operation was refused.
    #[error("topic `{topic}`: {source}")]
    Topic {
        /// Name or ARN of the topic.
        topic: String,
        /// What SNS answered.
        source: TopicError,
    },
}

/// A running SQS and SNS emulator.
///
/// It stops when it is dropped: the port closes, open connections end and all messages are gone.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    queues: Arc<Queues>,
    topics: Arc<Topics>,
    server: JoinHandle<()>,
}

impl Emulator {
    /// Starts to serve on `address`; port 0 takes any free port.
    ///
    /// Must be called inside a Tokio runtime, of either flavour, with I/O and time enabled.
    pub async fn start(address: SocketAddr) -> Result<Self, EmulatorError> {
        Self::start_with_latency(address, Duration::ZERO).await
    }

    /// The same, with answers that each come later than they could, as over a network.
    pub async fn start_with_latency(
        address: SocketAddr,
        latency: Duration,
    ) -> Result<Self, EmulatorError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| listen_error(address, source))?;
        let address = listener
            .local_addr()
            .map_err(|source| EmulatorError::Listen { address, source })?;

        let queues = Arc::new(Queues::new(endpoint_url(address)));
        let topics = Arc::new(Topics::new(Arc::clone(&queues)));
        let router = Router::new(
            QueueApi::new(Arc::clone(&queues)),
            TopicApi::new(Arc::clone(&topics)),
            latency,
        );
        let server = tokio::spawn(server::serve(listener, router));
        Ok(Self {
            address,
            queues,
            topics,
            server,
        })
    }

    /// Starts to serve on any free port of 127.0.0.1.
    pub async fn start_on_free_port() -> Result<Self, EmulatorError> {
        Self::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// The URL that clients of SQS and of SNS take as their endpoint.
    pub fn endpoint_url(&self) -> String {
        endpoint_url(self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Stops, and returns when the port is closed.
    pub async fn stop(mut self) {
        self.server.abort();
        // The only outcome is the cancellation just asked for.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn listen_error(address: SocketAddr, source: io::Error) -> EmulatorError {
    if source.kind() == io::ErrorKind::AddrInUse {
        EmulatorError::AddressInUse { address }
    } else {
        EmulatorError::Listen { address, source }
    }
}

/// By an address that a client on this machine can reach: "all interfaces" is not one.
fn endpoint_url(address: SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        address.ip()
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests;
