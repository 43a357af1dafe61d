//! SQS and SNS inside this process, over HTTP on one port.
//!
//! The emulator is the load carrier of tests and benchmarks: no Docker, no second process, and each
//! test can have its own. It keeps everything in memory, so nothing survives it.
//!
//! Queues and topics are rustack's; how a publish reaches the queues is our own (`topics.rs`).
//!
//! Where it is laxer than AWS, a test that passes here proves less: deleting with a made-up receipt
//! handle succeeds, retention is stored but never applied, and a publish answers after its delivery.

mod bridge;
mod messages;
mod pipeline;
mod publish_form;
mod queue_api;
mod router;
mod server;
mod topic_api;
mod topics;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustack_sns_core::{config::SnsConfig, provider::RustackSns};
use rustack_sns_model::error::SnsError;
use rustack_sqs_core::{config::SqsConfig, provider::RustackSqs};
use rustack_sqs_model::error::SqsError;
use tokio::{net::TcpListener, task::JoinHandle};

pub use messages::{Attribute, QueueDepth, StoredMessage};
pub use pipeline::{PipelineNames, PipelineResources, PipelineSettings};

use bridge::SqsBridge;
use queue_api::QueueApi;
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
        source: SqsError,
    },
    /// A topic operation was refused.
    #[error("topic `{topic}`: {source}")]
    Topic {
        /// Name or ARN of the topic.
        topic: String,
        /// What SNS answered.
        source: SnsError,
    },
    /// A queue reported no figure where SQS always reports one.
    #[error("queue `{queue}` reports no number in `{attribute}`")]
    MissingFigure {
        /// URL of the queue.
        queue: String,
        /// The queue attribute that was missing or not a number.
        attribute: &'static str,
    },
}

/// A running SQS and SNS emulator.
///
/// It stops when it is dropped: the port closes, open connections end and all messages are gone.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    sqs: Arc<RustackSqs>,
    sns: Arc<RustackSns>,
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

        let sqs = Arc::new(RustackSqs::new(SqsConfig {
            skip_signature_validation: true,
            default_region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            host: reachable_host(address),
            port: address.port(),
        }));
        let sns_config = SnsConfig {
            skip_signature_validation: true,
            default_region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            host: reachable_host(address),
            port: address.port(),
        };
        let bridge = Arc::new(SqsBridge::new(Arc::clone(&sqs)));
        let sns = Arc::new(RustackSns::new(sns_config, bridge));

        let topics = Arc::new(Topics::new(
            Arc::clone(&sns),
            Arc::clone(&sqs),
            reachable_host(address),
            address.port(),
        ));

        let router = Router::new(
            QueueApi::new(Arc::clone(&sqs)),
            TopicApi::new(Arc::clone(&topics), Arc::clone(&sns)),
            latency,
        );
        let server = tokio::spawn(server::serve(listener, router));
        Ok(Self {
            address,
            sqs,
            sns,
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
        let address = SocketAddr::new(reachable_ip(self.address), self.address.port());
        format!("http://{address}")
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The SQS side, for operations that [`Emulator`] has no method for.
    pub fn sqs(&self) -> &RustackSqs {
        &self.sqs
    }

    /// The SNS side, for operations that [`Emulator`] has no method for.
    pub fn sns(&self) -> &RustackSns {
        &self.sns
    }

    /// Stops, and returns when the port is closed and every queue has ended.
    pub async fn stop(mut self) {
        self.server.abort();
        // The only outcome is the cancellation just asked for.
        let _ = (&mut self.server).await;
        self.sqs.shutdown_all().await;
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

/// The address that a client on this machine can reach: "all interfaces" is not one.
fn reachable_ip(address: SocketAddr) -> IpAddr {
    if address.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        address.ip()
    }
}

fn reachable_host(address: SocketAddr) -> String {
    reachable_ip(address).to_string()
}

#[cfg(test)]
mod tests;
