//! A fixed piece of work of the kind that the services do.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use nix::time::ClockId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime,
};

/// Requests of a calibration; about half a second of CPU time in a release build.
const ROUNDS: u32 = 8_000;

/// Records of a request, as a batch of SQS has.
const BATCH: u32 = 10;

/// What is sent; as large as a notification.
#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    email: String,
    government_id: String,
    debt_id: String,
    debt_amount: u64,
    line: String,
    attributes: HashMap<String, String>,
}

/// CPU time that the piece of work takes, on this thread and another one.
///
/// Requests of ten JSON records go over a loopback socket to the other thread, which reads them,
/// hashes each, and answers. So the time is made of what that of a service is made of: JSON, hashes,
/// small allocations, system calls, the scheduler of the runtime, and waking up with cold caches.
pub(super) fn calibrate() -> io::Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    let server = thread::spawn(|| timed(server, answer));
    let asked = timed(client, ask)?;
    let panicked = |_| io::Error::other("the thread that answers panicked");
    Ok(asked + server.join().map_err(panicked)??)
}

/// CPU time of this thread for one end of the connection.
fn timed<F>(stream: TcpStream, end: impl FnOnce(tokio::net::TcpStream) -> F) -> io::Result<Duration>
where
    F: Future<Output = io::Result<()>>,
{
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let started = cpu_time()?;
    runtime.block_on(async { end(tokio::net::TcpStream::from_std(stream)?).await })?;
    Ok(cpu_time()?.saturating_sub(started))
}

fn cpu_time() -> io::Result<Duration> {
    Ok(ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into())
}

async fn ask(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    for round in 0..ROUNDS {
        let records: Vec<Record> = (0..BATCH).map(|number| record(round, number)).collect();
        write(&mut stream, &serde_json::to_vec(&records)?).await?;
        let answer = read(&mut stream).await?;
        let digests: HashMap<String, Vec<u8>> = serde_json::from_slice(&answer)?;
        if digests.len() != records.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

async fn answer(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    for _ in 0..ROUNDS {
        let records: Vec<Record> = serde_json::from_slice(&read(&mut stream).await?)?;
        let mut digests = HashMap::new();
        for record in records {
            let digest = Sha256::digest(serde_json::to_vec(&record)?);
            digests.insert(record.debt_id, digest.to_vec());
        }
        write(&mut stream, &serde_json::to_vec(&digests)?).await?;
    }
    Ok(())
}

fn record(round: u32, number: u32) -> Record {
    let attributes = [
        ("import_id", format!("01a20d97-6b57-75d8-bf76-{round:012}")),
        ("row", (round * BATCH + number).to_string()),
        ("event_type", "billing.issued".to_owned()),
    ];
    Record {
        name: format!("João da Silva {round}"),
        email: format!("joao.silva{number}@example.com"),
        government_id: format!("{round:011}"),
        debt_id: format!("1adb6ccf-ff16-467f-bea7-{number:012}"),
        debt_amount: u64::from(round) * 100,
        line: format!("00190.00009 {round:05}.{number:06} 00000.000000 9 99990000000000"),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

async fn write(stream: &mut tokio::net::TcpStream, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(body).await
}

async fn read(stream: &mut tokio::net::TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
