use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Readiness;
use super::connections::{Guests, Place};
use crate::runtime::{Backoff, ServiceError};

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
/// Longest time for which a client may take nothing of its answer: as long as
/// an upload may stand still by default.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that the system keeps for a client; Linux takes double,
/// and tells of room once a third is free. With so few, who reads 2 KB a second
/// is never cut off, and a thousand who read nothing hold no gigabytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Most connections at a time with a request that takes a place; further ones
/// are refused.
const MAX_PLACES: usize = 1_024;
/// Most connections at a time without a place.
const MAX_GUESTS: usize = 128;

/// Listens on that address.
///
/// # Errors
/// Names the address, so that a port in use can be told from a wrong one.
pub(super) async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, ServiceError> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| ServiceError::Listen { address, source })
}

/// Serves the routes while `work` runs, and gives what it gave. Meanwhile what
/// the service needs is asked for its gauges. When `stop` is
/// cancelled `work` should end within `drain`; then requests in hand are
/// answered, `last` is done, and all this takes no longer than a second more.
pub(super) async fn serve_during(
    listener: TcpListener,
    routes: Router,
    readiness: Readiness,
    stop: CancellationToken,
    drain: Duration,
    work: impl Future<Output = Result<(), ServiceError>>,
    last: impl Future<Output = ()>,
) -> Result<(), ServiceError> {
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
                () = &mut too_late => {
                    warn!("Requests in hand were cut off");
                    return Ok(());
                }
            }
            tokio::select! {
                () = last => {}
                () = &mut too_late => {}
            }
            Ok(())
        }
        () = &mut server => Err(ServiceError::TaskDied("the HTTP server")),
        never = readiness.watch() => match never {},
        () = &mut too_late => {
            warn!("Shutdown timed out; work in progress was aborted");
            Ok(())
        }
    }
}

/// What a client may ask of the server.
#[derive(Clone, Copy, Debug)]
struct Limits {
    head_timeout: Duration,
    head_bytes: usize,
    write_timeout: Duration,
    places: usize,
    guests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: HEAD_TIMEOUT,
            head_bytes: MAX_HEAD_BYTES,
            write_timeout: WRITE_TIMEOUT,
            places: MAX_PLACES,
            guests: MAX_GUESTS,
        }
    }
}

impl Limits {
    /// Serves until `done` is cancelled and what is in hand is answered.
    /// Dropping it cuts its connections off.
    async fn serve(self, listener: TcpListener, routes: Router, done: CancellationToken) {
        let free = Arc::new(Semaphore::new(self.places));
        let mut guests = Guests::up_to(self.guests);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = done.cancelled() => break,
                Some(_) = connections.join_next() => {}
                stream = accept(&listener) => {
                    let place = Place::among(&free);
                    let connection =
                        self.connection(stream, routes.clone(), place.clone(), done.clone());
                    guests.let_in(place, connections.spawn(connection));
                    // So that it may ask before the next ones are let in.
                    yield_now().await;
                }
            }
        }
        // Clients that come now are refused instead of left to wait.
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn connection(
        self,
        stream: TcpStream,
        routes: Router,
        place: Place,
        done: CancellationToken,
    ) {
        // Small answers must not wait for the client's delayed ACK. A socket
        // that refuses an option is closed, which serving it will show.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_timeout));
        let routes = TowerToHyperService::new(routes);
        let service = service_fn(|request| answer(&routes, &place, request));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.head_timeout)
                .max_header_size(self.head_bytes)
                .serve_connection(TokioIo::new(Box::pin(stream)), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = done.cancelled() => {
                // One that has never asked is no request in hand, but hyper
                // would wait for its first.
                if !place.has_asked() {
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

/// The answer to a request, which carries the place of its connection. Where
/// no place is left the connection closes after it.
fn answer(
    routes: &TowerToHyperService<Router>,
    place: &Place,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    place.note_request();
    request.extensions_mut().insert(place.clone());
    let answer = routes.call(request);
    let place = place.clone();
    async move {
        let mut answer = answer.await?;
        if place.none_is_left() {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(answer)
    }
}

/// The next connection. Errors are waited out: those of one connection are no
/// fault of the listener, and descriptors that ran out come back.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut warned = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
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
mod tests;
