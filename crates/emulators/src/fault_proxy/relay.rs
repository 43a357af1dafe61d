//! One connection through the proxy.

use std::{
    future,
    sync::atomic::{AtomicU8, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time,
};

use super::{FaultMode, Resets, Shared};

/// Most bytes that are forwarded at a time.
const PIECE: usize = 64 * 1024;

/// The client's connection must end with a reset.
#[derive(Debug)]
pub(super) struct Broken;

/// Whether something was asked that has no answer yet.
#[derive(Debug, Default)]
struct Asked(AtomicU8);

impl Asked {
    const NOTHING: u8 = 0;
    const SOMETHING: u8 = 1;
    /// Something that a fault is meant for.
    const TARGET: u8 = 2;

    fn ask(&self, is_target: bool) {
        let asked = if is_target {
            Self::TARGET
        } else {
            Self::SOMETHING
        };
        // A target stays one while other requests follow it on the same connection.
        self.0.fetch_max(asked, Ordering::Relaxed);
    }

    /// `None` where nothing was asked: the piece goes on with an answer that has begun.
    fn answered(&self) -> Option<u8> {
        let asked = self.0.swap(Self::NOTHING, Ordering::Relaxed);
        (asked != Self::NOTHING).then_some(asked)
    }
}

/// Forwards both ways until the server closes, or a fault breaks the connection.
pub(super) async fn relay(client: &mut TcpStream, shared: &Shared) -> Result<(), Broken> {
    let mut mode = shared.mode.subscribe();
    unstalled(&mut mode).await;
    let mut server = TcpStream::connect(shared.upstream())
        .await
        .map_err(|_| Broken)?;
    for stream in [&*client, &server] {
        // One that refuses the option is closed, as the next read shows.
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let asked = Asked::default();
    tokio::select! {
        ended = answers(from_server, to_client, shared, &asked) => ended,
        never = requests(from_client, to_server, shared, &asked) => never,
    }
}

/// Forwards what the client sends. Does not return: a client that has sent all may still read.
async fn requests(
    mut client: ReadHalf<'_>,
    mut server: WriteHalf<'_>,
    shared: &Shared,
    asked: &Asked,
) -> Result<(), Broken> {
    let mut mode = shared.mode.subscribe();
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = client.read(&mut piece).await {
        unstalled(&mut mode).await;
        asked.ask(is_target(*mode.borrow_and_update(), &piece[..length]));
        if server.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    // Where this fails the server is gone, as the other direction sees.
    let _ = server.shutdown().await;
    future::pending().await
}

/// Passes on what the server sends, until it closes.
async fn answers(
    mut server: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    shared: &Shared,
    asked: &Asked,
) -> Result<(), Broken> {
    let mut mode = shared.mode.subscribe();
    let mut piece = vec![0; PIECE];
    loop {
        let length = match server.read(&mut piece).await {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(_) => return Err(Broken),
        };
        unstalled(&mut mode).await;
        if let Some(asked) = asked.answered() {
            let now = *mode.borrow_and_update();
            match now {
                FaultMode::ResetAfterCommit(Resets { share, .. })
                    if asked == Asked::TARGET && shared.chance(share) =>
                {
                    return Err(Broken);
                }
                FaultMode::Slow(delay) => time::sleep(delay).await,
                _ => {}
            }
        }
        if client.write_all(&piece[..length]).await.is_err() {
            return Ok(());
        }
    }
}

fn is_target(mode: FaultMode, request: &[u8]) -> bool {
    let FaultMode::ResetAfterCommit(Resets { only_to, .. }) = mode else {
        return false;
    };
    only_to.is_none_or(|text| {
        request
            .windows(text.len().max(1))
            .any(|window| window == text.as_bytes())
    })
}

/// Returns as soon as the mode is not [`FaultMode::Stall`].
async fn unstalled(mode: &mut watch::Receiver<FaultMode>) {
    // The sender lives as long as the proxy.
    let _ = mode.wait_for(|mode| *mode != FaultMode::Stall).await;
}
