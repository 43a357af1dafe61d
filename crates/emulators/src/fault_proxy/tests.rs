use std::{
    future::Future,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::{Instant, timeout},
};

use super::*;
use crate::{
    emulator::{Emulator, PipelineNames},
    redis_server::RedisServer,
};

/// Longest wait for anything that must happen.
const LONG: Duration = Duration::from_secs(10);

/// How long nothing must happen to count as never.
const NEVER: Duration = Duration::from_millis(100);

/// A server that answers each line with `done`, and counts the lines that it has read.
struct LineServer {
    address: SocketAddr,
    lines: Arc<AtomicU64>,
}

impl LineServer {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    let (reader, mut writer) = stream.into_split();
                    let mut reader = BufReader::new(reader).lines();
                    while let Ok(Some(_)) = reader.next_line().await {
                        counter.fetch_add(1, Ordering::Relaxed);
                        if writer.write_all(b"done\n").await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, lines }
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

async fn proxied() -> (LineServer, FaultProxy) {
    let server = LineServer::start().await;
    let proxy = FaultProxy::start(server.address).await.unwrap();
    (server, proxy)
}

async fn client(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Sends a line and gives the answer.
async fn ask(client: &mut TcpStream, line: &str) -> io::Result<String> {
    client.write_all(line.as_bytes()).await?;
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("it happens soon")
}

#[tokio::test]
async fn everything_passes_until_it_is_told_otherwise() {
    let (server, proxy) = proxied().await;
    let mut client = client(&proxy).await;

    for _ in 0..3 {
        assert_eq!(soon(ask(&mut client, "x\n")).await.unwrap(), "done\n");
    }
    client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    soon(client.read_to_end(&mut rest)).await.unwrap();

    assert_eq!((server.lines(), proxy.resets()), (3, 0));
}

#[tokio::test]
async fn refusing_resets_open_connections_and_new_ones() {
    let (server, proxy) = proxied().await;
    let mut open = client(&proxy).await;
    soon(ask(&mut open, "x\n")).await.unwrap();

    proxy.set(FaultMode::Refuse);
    let error = soon(open.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut new = client(&proxy).await;
    assert!(soon(ask(&mut new, "x\n")).await.is_err());
    assert_eq!((server.lines(), proxy.resets()), (1, 2));

    proxy.set(FaultMode::Pass);
    let mut new = client(&proxy).await;
    assert_eq!(soon(ask(&mut new, "x\n")).await.unwrap(), "done\n");
}

#[tokio::test]
async fn a_stalled_connection_goes_on_where_it_was() {
    let (server, proxy) = proxied().await;
    let mut open = client(&proxy).await;
    soon(ask(&mut open, "x\n")).await.unwrap();

    proxy.set(FaultMode::Stall);
    let mut new = client(&proxy).await;
    for stalled in [&mut open, &mut new] {
        stalled.write_all(b"x\n").await.unwrap();
        assert!(timeout(NEVER, stalled.read_u8()).await.is_err());
    }
    assert_eq!(server.lines(), 1);

    proxy.set(FaultMode::Pass);
    for resumed in [&mut open, &mut new] {
        assert_eq!(soon(resumed.read_u8()).await.unwrap(), b'd');
    }
    assert_eq!(server.lines(), 3);
}

#[tokio::test]
async fn a_reset_after_commit_comes_when_the_server_has_done_its_work() {
    let (server, proxy) = proxied().await;
    proxy.set(FaultMode::ResetAfterCommit(Resets::of(1.0, "write")));
    let mut client = client(&proxy).await;

    assert_eq!(soon(ask(&mut client, "read\n")).await.unwrap(), "done\n");
    let error = soon(ask(&mut client, "write\n")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!((server.lines(), proxy.resets()), (2, 1));
}

#[tokio::test]
async fn resets_take_a_share_of_the_answers() {
    let (server, proxy) = proxied().await;
    proxy.set(FaultMode::ResetAfterCommit(Resets::of_all(0.25)));

    let mut lost = 0;
    for _ in 0..200 {
        let mut client = client(&proxy).await;
        lost += u64::from(soon(ask(&mut client, "x\n")).await.is_err());
    }

    assert!((30..=70).contains(&lost), "{lost} of 200");
    assert_eq!((server.lines(), proxy.resets()), (200, lost));
}

#[tokio::test]
async fn slow_answers_come_late() {
    let (_server, proxy) = proxied().await;
    let mut client = client(&proxy).await;
    proxy.set(FaultMode::Slow(NEVER));

    let started = Instant::now();
    assert_eq!(soon(ask(&mut client, "x\n")).await.unwrap(), "done\n");

    assert!(started.elapsed() >= NEVER);
}

#[tokio::test]
async fn a_server_that_is_away_is_a_reset() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap());
    let proxy = proxy.await.unwrap();
    drop(listener);

    let mut client = client(&proxy).await;

    assert!(soon(ask(&mut client, "x\n")).await.is_err());
    assert_eq!(proxy.resets(), 1);
}

#[tokio::test]
async fn redis_has_stored_what_the_client_was_not_told_of() {
    let redis = RedisServer::start(None, None).await.unwrap();
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port()));
    let proxy = FaultProxy::start(upstream).await.unwrap();
    proxy.set(FaultMode::ResetAfterCommit(Resets::of(1.0, "INCR")));

    let mut lost = client(&proxy).await;
    assert!(soon(ask(&mut lost, "INCR key\r\n")).await.is_err());
    let mut told = client(&proxy).await;

    // A string of one character: `$1`, `1`.
    assert_eq!(
        soon(ask(&mut told, "GET key\r\n")).await.unwrap(),
        "$1\r\n1"
    );
}

#[tokio::test]
async fn sqs_has_taken_what_the_client_was_not_told_of() {
    let emulator = Emulator::start_on_free_port().await.unwrap();
    let resources = emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, emulator.port()));
    let proxy = FaultProxy::start(upstream).await.unwrap();
    let send = async || {
        reqwest::Client::new()
            .post(proxy.url())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "AmazonSQS.SendMessage")
            // The queue's own address: the endpoint alone decides where a call goes.
            .json(&serde_json::json!({
                "QueueUrl": resources.data_process_url,
                "MessageBody": "a record",
            }))
            .timeout(LONG)
            .send()
            .await
    };

    assert!(send().await.unwrap().status().is_success());
    proxy.set(FaultMode::ResetAfterCommit(Resets::of(1.0, "SendMessage")));
    assert!(send().await.is_err());
    proxy.set(FaultMode::Refuse);
    assert!(send().await.is_err());

    let depth = emulator.queue_depth(&resources.data_process_url).await;
    assert_eq!(depth.unwrap().visible, 2);
}

#[tokio::test]
async fn after_a_redirect_new_connections_reach_another_server_and_open_ones_stay() {
    let (server, proxy) = proxied().await;
    let other = LineServer::start().await;
    let mut open = client(&proxy).await;
    soon(ask(&mut open, "x\n")).await.unwrap();

    proxy.redirect(other.address);
    soon(ask(&mut client(&proxy).await, "x\n")).await.unwrap();
    soon(ask(&mut open, "x\n")).await.unwrap();

    assert_eq!((server.lines(), other.lines()), (2, 1));
}

#[tokio::test]
async fn open_connections_fall_silent_and_new_ones_are_served() {
    let (server, proxy) = proxied().await;
    let mut open = client(&proxy).await;
    soon(ask(&mut open, "x\n")).await.unwrap();

    proxy.silence_open();
    open.write_all(b"x\n").await.unwrap();
    assert!(timeout(NEVER, open.read_u8()).await.is_err());
    soon(ask(&mut client(&proxy).await, "x\n")).await.unwrap();

    assert_eq!((server.lines(), proxy.resets()), (2, 0));
}
