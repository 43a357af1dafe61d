//! A mail server whose answers are given byte for byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it does.
#[derive(Clone, Default)]
pub(crate) struct Habits {
    /// By the first word of a command, or `greeting` or `end`.
    pub(crate) answers: HashMap<&'static str, &'static [u8]>,
    /// Answer to that command from the given message of a connection on.
    pub(crate) worn_out: Option<(&'static str, usize, &'static [u8])>,
    /// Connections that it serves at a time; others are greeted with a 421.
    pub(crate) most_connections: Option<usize>,
    /// Questions of AUTH LOGIN, as sent.
    pub(crate) prompts: Option<[&'static [u8]; 2]>,
}

impl Habits {
    pub(crate) fn answer(point: &'static str, bytes: &'static [u8]) -> Self {
        Self::default().and(point, bytes)
    }

    pub(crate) fn and(mut self, point: &'static str, bytes: &'static [u8]) -> Self {
        self.answers.insert(point, bytes);
        self
    }
}

/// It takes every message that it hears to the end.
pub(crate) struct OddServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    said: Vec<String>,
    taken: Vec<String>,
    connections: usize,
    open: usize,
}

impl OddServer {
    pub(crate) async fn start(habits: Habits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    let (tcp, _) = listener.accept().await.unwrap();
                    let (habits, seen) = (habits.clone(), Arc::clone(&seen));
                    tokio::spawn(async move {
                        seen.lock().unwrap().connections += 1;
                        seen.lock().unwrap().open += 1;
                        // It ends when the client hangs up.
                        let _ = converse(tcp, &habits, &seen).await;
                        seen.lock().unwrap().open -= 1;
                    });
                }
            }
        });
        Self { address, seen }
    }

    /// Recipients of the messages that were taken.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.seen.lock().unwrap().taken.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// What it was told, but for messages.
    pub(crate) fn said(&self) -> Vec<String> {
        self.seen.lock().unwrap().said.clone()
    }
}

async fn converse(tcp: TcpStream, habits: &Habits, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut tcp = BufReader::new(tcp);
    let answer = |point: &str, usual: &'static [u8]| *habits.answers.get(point).unwrap_or(&usual);
    let open = seen.lock().unwrap().open;
    if habits.most_connections.is_some_and(|most| open > most) {
        return tcp.write_all(b"421 4.7.0 too many connections\r\n").await;
    }
    tcp.write_all(answer("greeting", b"220 odd.example.com\r\n"))
        .await?;
    let (mut messages, mut to) = (0, String::new());
    loop {
        let mut line = String::new();
        if tcp.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        seen.lock().unwrap().said.push(line.to_owned());
        let verb = line.split(' ').next().unwrap_or_default();
        if let Some((worn_out, after, bytes)) = habits.worn_out
            && verb == worn_out
            && messages >= after
        {
            tcp.write_all(bytes).await?;
            if bytes.starts_with(b"421") {
                return Ok(());
            }
            continue;
        }
        let usual: &[u8] = match verb {
            "EHLO" => b"250-odd.example.com\r\n250 8BITMIME\r\n",
            "DATA" => b"354 go on\r\n",
            "RCPT" => {
                to = line.to_owned();
                b"250 ok\r\n"
            }
            "AUTH" => {
                for prompt in habits.prompts.iter().flatten() {
                    tcp.write_all(prompt).await?;
                    let mut word = String::new();
                    tcp.read_line(&mut word).await?;
                    seen.lock().unwrap().said.push(word.trim_end().to_owned());
                }
                b"235 welcome\r\n"
            }
            _ => b"250 ok\r\n",
        };
        let reply = answer(verb, usual);
        tcp.write_all(reply).await?;
        if reply.starts_with(b"421") {
            return Ok(());
        }
        if verb == "DATA" && reply.starts_with(b"3") {
            loop {
                let mut line = Vec::new();
                if tcp.read_until(b'\n', &mut line).await? == 0 {
                    return Ok(());
                }
                if line == b".\r\n" {
                    break;
                }
            }
            messages += 1;
            let reply = answer("end", b"250 taken\r\n");
            if reply.starts_with(b"2") {
                seen.lock().unwrap().taken.push(to.clone());
            }
            tcp.write_all(reply).await?;
        }
    }
}
