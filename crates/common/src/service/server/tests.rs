use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use futures::{FutureExt, stream};
use testkit::poll_until;
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
        let routes = Router::new()
            .route(
                "/slow",
                get(async move || {
                    shared.0.notify_one();
                    shared.1.notified().await;
                    "at last"
                }),
            )
            .route("/large", get(large))
            .layer(from_fn(with_a_place))
            .route("/", get(async || "here"));
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

    /// A connection over which that was sent.
    async fn ask(&self, request: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Sends that and reads until the server closes.
    async fn answer(&self, request: &str) -> String {
        rest(&mut self.ask(request).await).await
    }
}

/// Bytes of an answer that fits into no buffer.
const LARGE_BYTES: usize = 16 * 1024 * 1024;

async fn large() -> Body {
    let piece = Bytes::from(vec![b'x'; LARGE_BYTES / 256]);
    Body::from_stream(stream::iter(
        (0..256).map(move |_| Ok::<_, io::Error>(piece.clone())),
    ))
}

async fn with_a_place(request: Request, next: Next) -> Response {
    if request.extensions().get::<Place>().unwrap().take() {
        next.run(request).await
    } else {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
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
async fn who_gets_no_place_is_told_so_and_the_other_routes_go_on() {
    let limits = Limits {
        places: 1,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut first = server.ask(&request("/slow", "")).await;
    server.slow.0.notified().await;
    // Without `connection: close`: the server closes in any case.
    let keeps_alive = "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    let refused = server.answer(keeps_alive).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("connection: close\r\n"), "{refused}");
    assert!(server.answer(&request("/", "")).await.ends_with("here"));

    server.slow.1.notify_one();
    assert!(rest(&mut first).await.ends_with("at last"));
    server.slow.1.notify_one();
    poll_until("the place to be free", SOON, async || {
        let answer = server.answer(&request("/slow", "")).await;
        answer.ends_with("at last").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_longest_silent_makes_room_and_who_has_a_place_stays() {
    let limits = Limits {
        guests: 3,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut busy = server.ask(&request("/slow", "")).await;
    server.slow.0.notified().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(server.connect().await);
    }
    assert!(server.answer(&request("/", "")).await.ends_with("here"));
    // Closed long before the time for a head has passed.
    assert_eq!(rest(&mut silent[0]).await, "");
    let last = silent.last_mut().unwrap();
    assert!(last.read(&mut [0]).now_or_never().is_none(), "it is open");
    last.write_all(request("/", "").as_bytes()).await.unwrap();
    assert!(rest(last).await.ends_with("here"));

    server.slow.1.notify_one();
    assert!(rest(&mut busy).await.ends_with("at last"));
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut_off() {
    let limits = Limits {
        write_timeout: Duration::from_millis(300),
        places: 1,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut unread = server.ask(&request("/large", "")).await;
    poll_until("the answer to begin", SOON, async || {
        let mut byte = [0];
        (unread.peek(&mut byte).await.unwrap() == 1).then_some(())
    })
    .await;
    server.slow.1.notify_one();
    poll_until("its place to be free", SOON, async || {
        let answer = server.answer(&request("/slow", "")).await;
        answer.ends_with("at last").then_some(())
    })
    .await;
    assert!(rest(&mut unread).await.len() < LARGE_BYTES);
}

#[tokio::test]
async fn who_reads_slowly_gets_it_all() {
    let limits = Limits {
        write_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut slow = server.ask(&request("/large", "")).await;
    let mut pauses = tokio::time::interval(Duration::from_millis(20));
    let (mut piece, mut got, began) = (vec![0; 256 * 1024], 0, Instant::now());
    loop {
        pauses.tick().await;
        match slow.read(&mut piece).await.unwrap() {
            0 => break,
            bytes => got += bytes,
        }
    }
    assert!(got > LARGE_BYTES);
    assert!(began.elapsed() > limits.write_timeout, "it was slow");
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
