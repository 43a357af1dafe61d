//! More clients than the process takes, of which none lets go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::{Stack, poll_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::LONG;
use super::importer::Importer;

/// More than a process takes.
const CROWD: usize = 1_300;
/// An answer that fits into no buffer of the system.
const LARGE: &str = "/docs/swagger-ui-bundle.js";

/// A connection over which that was asked for, and which takes next to
/// nothing of the answer.
async fn unread(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut connection = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

/// The answer over a connection of its own, and how long it took.
async fn ask(address: SocketAddr, path: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(LONG, connection.read_to_string(&mut answer)).await;
    read.unwrap().unwrap();
    (answer, began.elapsed())
}

/// Takes all places.
async fn unread_crowd(importer: &Importer) -> Vec<TcpStream> {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(unread(importer.address, LARGE).await);
    }
    crowd
}

#[tokio::test]
async fn health_answers_however_many_take_nothing_of_their_answers() {
    let stack = Stack::start().await;
    let importer = Importer::start(&stack, &[]).await;
    let mut crowd = unread_crowd(&importer).await;
    let refused = poll_until("all connections to be taken", LONG, async || {
        let (answer, _) = ask(importer.address, "/v1/imports").await;
        answer.starts_with("HTTP/1.1 503 ").then_some(answer)
    })
    .await;
    assert!(
        refused.contains("urn:problem:too-many-connections"),
        "{refused}"
    );
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    // Those say nothing at all.
    for _ in 0..CROWD {
        crowd.push(TcpStream::connect(importer.address).await.unwrap());
    }
    let mut slowest = Duration::ZERO;
    for path in ["/health", "/ready", "/metrics"].repeat(20) {
        let (answer, took) = ask(importer.address, path).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        slowest = slowest.max(took);
    }
    println!(
        "{} connections: /health, /ready, /metrics within {slowest:?}, most memory {} MiB",
        crowd.len(),
        importer.peak_memory()
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

/// The default takes half a minute to let go of them.
#[tokio::test]
#[ignore = "takes half a minute"]
async fn who_takes_nothing_of_an_answer_is_let_go() {
    let stack = Stack::start().await;
    let importer = Importer::start(&stack, &[]).await;
    let _crowd = unread_crowd(&importer).await;
    let began = Instant::now();
    poll_until("places to be free again", LONG, async || {
        let (answer, _) = ask(importer.address, "/v1/imports").await;
        answer.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
    println!("after {:?} there is room again", began.elapsed());
}
