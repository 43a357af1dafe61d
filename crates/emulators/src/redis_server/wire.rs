//! The few words of the Redis protocol that starting and stopping a server takes.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for one answer. A server that is loading or starting is asked again.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);

/// Whether the server on this port is ready and is the process `pid`.
///
/// The process id matters: two starts at the same time may pick the same free port, and the loser
/// must not take the winner's answer for its own.
pub(super) async fn answers_as(port: u16, pid: u32) -> bool {
    let Ok(answer) = ask(port, "PING\r\nINFO server\r\nQUIT").await else {
        return false;
    };
    let expected = format!("process_id:{pid}");
    answer.starts_with("+PONG") && answer.lines().any(|line| line == expected)
}

/// Sends inline commands and returns everything up to the end of the connection.
pub(super) async fn ask(port: u16, commands: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream
            .write_all(format!("{commands}\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    timeout(ANSWER_DEADLINE, exchange).await?
}
