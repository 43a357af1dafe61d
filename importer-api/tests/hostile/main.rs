//! The process of importer-api under uploads that are broken in every way,
//! under many large ones, under many small ones while the queue is away, and
//! under more clients than it takes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and figures are to be seen"
)]

mod broken;
mod crowd;
mod importer;
mod many;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::{StreamExt, stream};
use serde_json::Value;
use testkit::{CsvFile, Stack, poll_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use broken::{HEADER, KINDS, Upload, broken};
use importer::Importer;

const LONG: Duration = Duration::from_mins(1);

/// The status of an answer, and its body, which must be what the API says.
fn read_answer(answer: &[u8]) -> Option<(u16, Value)> {
    let text = std::str::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
    if status != 202 {
        assert!(
            head.contains("content-type: application/problem+json"),
            "{text}"
        );
        assert_eq!(body["status"], status);
    }
    Some((status, body))
}

/// Broken uploads of the test, and how many are on their way at a time.
const UPLOADS: u64 = 1_000;
const AT_A_TIME: usize = 12;
/// Most memory, in MiB, that the process may have had after them.
const MEMORY_LIMIT: u64 = 100;

#[tokio::test]
async fn whatever_is_uploaded_is_refused_with_a_reason_or_becomes_rows() {
    let stack = Stack::start().await;
    let importer = Importer::start(&stack, &[]).await;
    let answers = stream::iter(0..UPLOADS).map(async |number| {
        let upload = broken(number % KINDS, &mut Rng::with_seed(number));
        let answer = importer
            .send(&upload.request(), upload.length.is_some())
            .await;
        let answer = read_answer(&answer);
        assert!(answer.is_some() || upload.length.is_some(), "{number}");
        (number, answer)
    });
    let (mut accepted, mut rows) = (0, 0);
    let mut statuses = BTreeMap::<_, usize>::new();
    let mut answers = answers.buffer_unordered(AT_A_TIME);
    while let Some((number, answer)) = answers.next().await {
        let (kind, Some((status, body))) = (number % KINDS, answer) else {
            continue;
        };
        assert!(
            status == 202 || (400..500).contains(&status),
            "{number}: {body}"
        );
        *statuses.entry((kind, status)).or_default() += 1;
        if status == 202 {
            accepted += 1;
            rows += body["rows"].as_u64().unwrap();
        }
    }
    poll_until("every row to be sent or invalid", LONG, async || {
        let sent = importer.metric("csv_processor_messages_sent_total").await;
        let invalid = importer.metric("csv_processor_rows_invalid_total").await;
        (sent + invalid == rows).then_some(())
    })
    .await;
    poll_until("nothing but imports to be in the spool", LONG, async || {
        let files = importer.files();
        let is_clean = ["csv", "json", "checkpoint"]
            .iter()
            .all(|kind| files.get(*kind) == Some(&accepted));
        (is_clean && files.len() == 3).then_some(())
    })
    .await;
    assert!(!importer.log().contains("panicked"));
    let peak = importer.peak_memory();
    println!("answers by kind and status: {statuses:?}");
    println!("{accepted} accepted, {rows} rows, most memory {peak} MiB");
    assert!(peak < MEMORY_LIMIT);
}

/// Large uploads at a time, and the bytes of each.
const LARGE_UPLOADS: usize = 10;
const LARGE_BYTES: usize = 105_000_000;

/// How long `/health` took, from when it was due, until told to stop: one
/// request each 5 ms, each over a connection of its own, so that none waits
/// for the one before; on a thread of its own.
fn watch_health(address: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut due = tokio::time::interval(Duration::from_millis(5));
        let mut asked = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let due = due.tick().await;
            asked.push(tokio::spawn(async move {
                let mut connection = TcpStream::connect(address).await.unwrap();
                let request =
                    b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                connection.write_all(request).await.unwrap();
                let mut answer = Vec::new();
                connection.read_to_end(&mut answer).await.unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200 "));
                due.elapsed()
            }));
        }
        let took = futures::future::join_all(asked).await;
        took.into_iter().map(Result::unwrap).collect()
    })
}

/// With the program as it ships:
/// `IMPORTER_API_BINARY=$PWD/target/dist/importer-api cargo test
/// --package importer-api --test hostile -- --ignored --nocapture`
#[tokio::test]
#[ignore = "writes 1 GB and takes half a minute"]
async fn health_answers_while_ten_large_files_come_in() {
    let stack = Stack::start().await;
    let nowhere = "http://127.0.0.1:9/000000000000/data-process";
    let importer = Importer::start(&stack, &[("SQS_QUEUE_URL", nowhere)]).await;
    let mut file = CsvFile::new().valid_rows(1_000).bytes();
    let rows = file.split_off(HEADER.len() + 1);
    while file.len() < LARGE_BYTES {
        file.extend_from_slice(&rows);
    }
    let request = Upload::of_file(&file).request();
    drop(file);

    let stop = Arc::new(AtomicBool::new(false));
    let (address, told) = (importer.address, Arc::clone(&stop));
    let health = std::thread::spawn(move || watch_health(address, &told));
    let began = Instant::now();
    let uploads = (0..LARGE_UPLOADS).map(|_| importer.send(&request, false));
    let answers = futures::future::join_all(uploads).await;
    let seconds = began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let mut took = health.join().unwrap();
    took.sort_unstable();

    let answers: Vec<_> = answers.iter().map(|a| read_answer(a).unwrap().0).collect();
    let of = |share: usize| took[(took.len() - 1) * share / 1_000];
    let (p50, p99, most) = (of(500), of(990), of(1_000));
    println!("{LARGE_UPLOADS} uploads of {LARGE_BYTES} bytes in {seconds:.1} s: {answers:?}");
    println!(
        "/health, {} requests: p50 {p50:?}, p99 {p99:?}, most {most:?}",
        took.len()
    );
    println!("most memory {} MiB", importer.peak_memory());
    assert!(
        answers
            .iter()
            .all(|status| matches!(status, 202 | 429 | 503))
    );
    assert!(p99 < Duration::from_millis(50));
}
