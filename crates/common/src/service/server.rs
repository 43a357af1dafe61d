use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Readiness, StartError};
use crate::outage::Backoff;

/// Time that work in hand usually has after the service is told to stop.
pub const DRAIN: Duration = Duration::from_secs(8);
/// Time that requests in hand have beyond that.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// Longest time a client may take over the head of a request, and longest
/// time a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of the head of a request; a larger one is a 431. So is one of
/// more than 100 headers, which is what hyper takes without being told.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Most connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// Listens on that address.
///
/// # Errors
/// Names the address, so that a port in use can be told from a wrong one.
pub(super) async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Serves the routes while `work` runs, and gives what it gave. Meanwhile what
/// the service needs is asked for its gauges. When `stop` is
/// cancelled `work` should end within `drain`; then requests in hand are
/// answered, and all this takes no longer than a second more.
pub async fn serve_during(
    listener: TcpListener,
    routes: Router,
    readiness: Readiness,
    stop: CancellationToken,
    drain: Duration,
    work: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    let address = listener.local_addr().ok();
    info!(address = address.map(tracing::field::display), "Listening");
    let done = CancellationToken::new();
    let mut server = pin!(Limits::default().serve(listener, routes, done.clone()));
    let mut too_late = pin!(async {
        stop.cancelled().await;
        tokio::time::sleep(drain + LAST_REQUESTS).await;
    });
    tokio::select! {
        ended = work => {
            ended?;
            done.cancel();
            tokio::select! {
                () = &mut server => {}
                () = &mut too_late => warn!("Requests in hand were cut off"),
            }
            Ok(())
        }
        () = &mut server => Err(StartError::TaskDied("the HTTP server")),
        never = readiness.watch() => match never {},
        () = &mut too_late => {
            warn!("Not stopped in time, work in hand was cut off");
            Ok(())
        }
    }
}

/// What a client may ask of the server.
#[derive(Clone, Copy, Debug)]
struct Limits {
    head_timeout: Duration,
    head_bytes: usize,
    connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: HEAD_TIMEOUT,
            head_bytes: MAX_HEAD_BYTES,
            connections: MAX_CONNECTIONS,
        }
    }
}

impl Limits {
    /// Serves until `done` is cancelled and what is in hand is answered.
    /// Dropping it cuts its connections off.
    async fn serve(self, listener: TcpListener, routes: Router, done: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.connections));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = done.cancelled() => break,
                Some(_) = connections.join_next() => {}
                (stream, permit) = accept(&listener, &permits) => {
                    let connection = self.connection(stream, routes.clone(), done.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
            }
        }
        // Clients that come now are refused instead of left to wait.
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn connection(self, stream: TcpStream, routes: Router, done: CancellationToken) {
        // Small answers must not wait for the client's delayed ACK. A socket
        // that refuses the option is closed, which serving it will show.
        let _ = stream.set_nodelay(true);
        let asked = AtomicBool::new(false);
        let routes = TowerToHyperService::new(routes);
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            routes.call(request)
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.head_timeout)
                .max_header_size(self.head_bytes)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = done.cancelled() => {
                // One that has never asked is no request in hand, but hyper
                // would wait for its first.
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "A connection was cut off");
        }
    }
}

/// The next connection, once there is a permit for it. Errors are waited out:
/// those of one connection are no fault of the listener, and descriptors that
/// ran out come back.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = match Arc::clone(permits).acquire_owned().await {
        Ok(permit) => permit,
        // Nobody closes it.
        Err(_) => std::future::pending().await,
    };
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut warned = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !warned {
                    warn!(%error, "Connections cannot be accepted, trying again");
                    warned = true;
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// The client went away while it waited to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    struct Server {
        address: SocketAddr,
        done: CancellationToken,
        task: JoinHandle<()>,
        /// Told when `/slow` was asked for, and when it may answer.
        slow: Arc<(Notify, Notify)>,
    }

    impl Server {
        async fn start(limits: Limits) -> Self {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let done = CancellationToken::new();
            let slow = Arc::new((Notify::new(), Notify::new()));
            let shared = Arc::clone(&slow);
            let routes = Router::new().route("/", get(async || "here")).route(
                "/slow",
                get(async move || {
                    shared.0.notify_one();
                    shared.1.notified().await;
                    "at last"
                }),
            );
            let task = tokio::spawn(limits.serve(listener, routes, done.clone()));
            Self {
                address,
                done,
                task,
                slow,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        /// Sends that and reads until the server closes.
        async fn answer(&self, request: &str) -> String {
            let mut stream = self.connect().await;
            stream.write_all(request.as_bytes()).await.unwrap();
            rest(&mut stream).await
        }
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        // A reset after the answer ends it as well.
        let _ = timeout(SOON, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn request(path: &str, headers: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    }

    #[tokio::test]
    async fn a_request_within_the_limits_is_answered() {
        let server = Server::start(Limits::default()).await;
        let headers = "x: 1\r\n".repeat(98);
        let answer = server.answer(&request("/", &headers)).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_a_431() {
        let server = Server::start(Limits::default()).await;
        let many = "x: 1\r\n".repeat(99);
        let large = format!("x: {}\r\n", "1".repeat(MAX_HEAD_BYTES));
        for headers in [many, large] {
            let answer = server.answer(&request("/", &headers)).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_its_head_slowly_is_cut_off() {
        let limits = Limits {
            head_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let server = Server::start(limits).await;
        let mut stream = server.connect().await;
        let started = Instant::now();
        let drip = async {
            // A byte at a time keeps the connection busy, and does not help.
            for byte in request("/", &"x: 1\r\n".repeat(50)).bytes() {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, drip).await.unwrap();
        assert!(started.elapsed() >= limits.head_timeout);
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_for_their_turn() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let server = Server::start(limits).await;
        let mut first = server.connect().await;
        first
            .write_all(request("/slow", "").as_bytes())
            .await
            .unwrap();
        server.slow.0.notified().await;
        let mut second = server.connect().await;
        second.write_all(request("/", "").as_bytes()).await.unwrap();
        let mut byte = [0];
        let early = timeout(Duration::from_millis(200), second.read(&mut byte)).await;
        assert!(early.is_err(), "it is not served beside the first");

        server.slow.1.notify_one();
        assert!(rest(&mut first).await.ends_with("at last"));
        assert!(rest(&mut second).await.ends_with("here"));
    }

    #[tokio::test]
    async fn the_end_answers_what_is_in_hand_and_waits_for_nothing_else() {
        let server = Server::start(Limits::default()).await;
        let mut silent = server.connect().await;
        let mut asking = server.connect().await;
        // Without `connection: close`: the client would go on.
        asking
            .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        server.slow.0.notified().await;
        server.done.cancel();
        assert_eq!(rest(&mut silent).await, "");
        assert!(!server.task.is_finished());

        server.slow.1.notify_one();
        assert!(rest(&mut asking).await.ends_with("at last"));
        timeout(SOON, server.task).await.unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}
