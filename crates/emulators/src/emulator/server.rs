//! Accepts connections and serves them.

use std::convert::Infallible;

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::router::Router;
use crate::connections::serve_each;

/// Serves until the task is aborted, which ends the connections as well.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    serve_each(listener, |stream| serve_connection(stream, router.clone())).await;
}

async fn serve_connection(stream: TcpStream, router: Router) {
    // Small answers must not wait for the client's delayed ACK. A socket that refuses the option
    // is already closed, which serving it will show.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| async { Ok::<_, Infallible>(router.answer(request).await) });
    // An error here is a client that went away; it sees that itself.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
