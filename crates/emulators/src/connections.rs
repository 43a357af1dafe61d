//! Accepts connections, each served on its own.

use std::time::Duration;

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};

/// How long to let connections close when the process has no file descriptors left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Serves until the task is aborted, which ends the connections as well.
pub(crate) async fn serve_each<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream));
                }
                // Of the one connection (reset while it waited) or of the process (out of
                // descriptors); neither is a reason to stop.
                Err(_) => time::sleep(ACCEPT_BACKOFF).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
