//! A receiver of webhooks that answers as a test wants.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::poll_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(20);

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with that status and these header lines.
    Status(u16, String),
    /// Says yes after that time.
    Late(Duration),
    /// Never answers.
    Never,
    /// Closes the connection.
    Close,
    /// Says yes, and goes on with a body without end.
    Endless,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) line: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers each request as it was told, and then says yes.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Receiver {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
        };
        let (received, replies) = (Arc::clone(&own.received), Arc::clone(&own.replies));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (received, replies) = (Arc::clone(&received), Arc::clone(&replies));
                tokio::spawn(serve(connection, received, replies));
            }
        });
        own
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks?of=us", self.port)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for that many requests.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Received> {
        poll_until("requests", LONG, async || {
            Some(self.received()).filter(|received| received.len() >= count)
        })
        .await
    }
}

async fn serve(
    mut connection: TcpStream,
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
) -> Option<()> {
    loop {
        let request = read(&mut connection).await?;
        received.lock().unwrap().push(request);
        let reply = replies.lock().unwrap().pop_front();
        let head = match reply.unwrap_or(Reply::Status(204, String::new())) {
            Reply::Status(status, lines) => {
                format!("HTTP/1.1 {status} A\r\ncontent-length: 0\r\n{lines}\r\n")
            }
            Reply::Late(time) => {
                tokio::time::sleep(time).await;
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()
            }
            Reply::Never => std::future::pending().await,
            Reply::Close => return None,
            Reply::Endless => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                connection.write_all(head.as_bytes()).await.ok()?;
                loop {
                    connection.write_all(b"4\r\nmore\r\n").await.ok()?;
                }
            }
        };
        connection.write_all(head.as_bytes()).await.ok()?;
    }
}

async fn read(connection: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        (connection.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let (line, lines) = head.split_once("\r\n").unwrap();
    let headers = lines.lines().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    });
    let headers: BTreeMap<String, String> = headers.collect();
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        (connection.read_buf(&mut body).await.ok()? > 0).then_some(())?;
    }
    Some(Received {
        at: Instant::now(),
        line: line.to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
