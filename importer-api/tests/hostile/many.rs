//! Many small imports while the queue is away.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use testkit::{CsvFile, Stack, poll_until};
use testkit::{FaultMode, FaultProxy};

use super::broken::Upload;
use super::importer::Importer;
use super::{LONG, MEMORY_LIMIT, read_answer};

/// Uploads on their way at a time.
const AT_A_TIME: usize = 4;
/// Longest wait for the answer to an upload.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for all rows to be in the queue once it is back.
const SENT_WITHIN: Duration = Duration::from_mins(5);
/// Fewer threads than that at any time.
const THREADS_LIMIT: u64 = 64;

/// What the process took at most.
#[derive(Debug, Default)]
struct Taken {
    slowest: Duration,
    threads: u64,
    memory: u64,
}

impl Taken {
    fn look(&mut self, importer: &Importer) {
        self.threads = self.threads.max(importer.threads());
        self.memory = self.memory.max(importer.peak_memory());
    }

    /// Uploads that many files, each of which is to be answered in time.
    async fn upload(&mut self, importer: &Importer, imports: usize, request: &[u8]) {
        let answers = (0..imports).map(async |_| {
            let began = Instant::now();
            let answer = importer.send(request, false).await;
            let (status, body) = read_answer(&answer).unwrap();
            assert_eq!(status, 202, "{body}");
            began.elapsed()
        });
        let mut answers = stream::iter(answers).buffer_unordered(AT_A_TIME);
        while let Some(took) = answers.next().await {
            self.slowest = self.slowest.max(took);
            self.look(importer);
        }
        assert!(self.slowest < ANSWERED_WITHIN, "{self:?}");
    }
}

/// The service before a queue that is away.
struct Scene {
    stack: Stack,
    proxy: FaultProxy,
}

impl Scene {
    async fn new() -> Self {
        let stack = Stack::start().await;
        let proxy = stack.proxy_to_emulator().await;
        proxy.set(FaultMode::Refuse);
        Self { stack, proxy }
    }

    async fn start(&self) -> Importer {
        Importer::start(&self.stack, &[("SQS_ENDPOINT_URL", &self.proxy.url())]).await
    }

    async fn restart(&self, importer: Importer) -> Importer {
        let url = self.proxy.url();
        importer
            .kill_and_start(&self.stack, &[("SQS_ENDPOINT_URL", &url)])
            .await
    }

    /// Waits until all is sent, and gives how many rows the queue got.
    async fn sent(
        &self,
        importer: &Importer,
        taken: &mut Taken,
        (imports, rows): (usize, usize),
    ) -> usize {
        poll_until("all rows to be sent", SENT_WITHIN, async || {
            taken.look(importer);
            let sent = importer.metric("csv_processor_rows_total").await;
            (sent >= (imports * rows) as u64).then_some(())
        })
        .await;
        poll_until("all imports to be done with", LONG, async || {
            (importer.unfinished() == 0).then_some(())
        })
        .await;
        assert!(!importer.log().contains("panicked"));
        let messages = self
            .stack
            .take_all(&self.stack.resources().data_process_url)
            .await;
        let rows: BTreeSet<_> = messages.iter().map(|m| m.row().unwrap()).collect();
        assert_eq!(rows.len(), messages.len(), "a row was sent twice");
        let of: BTreeSet<_> = rows.iter().map(|row| row.import_id).collect();
        assert_eq!(of.len(), imports);
        rows.len()
    }
}

async fn many(imports: usize, rows: usize, is_killed: bool) {
    let scene = Scene::new().await;
    let mut importer = scene.start().await;
    let mut taken = Taken::default();
    let request = Upload::of_file(&CsvFile::new().valid_rows(rows).bytes()).request();
    let (before, late) = (imports / 2, 20);
    taken.upload(&importer, before, &request).await;
    if is_killed {
        importer = scene.restart(importer).await;
    }
    let rest = imports - before - late;
    taken.upload(&importer, rest, &request).await;
    let began = Instant::now();
    scene.proxy.set(FaultMode::Pass);
    taken.upload(&importer, late, &request).await;
    let sent = scene.sent(&importer, &mut taken, (imports, rows)).await;
    println!(
        "{imports} imports of {rows} rows, killed between: {is_killed}: {sent} rows sent in {:?}, {taken:?}",
        began.elapsed()
    );
    assert_eq!(sent, imports * rows);
    assert!(taken.threads < THREADS_LIMIT, "{taken:?}");
    assert!(taken.memory < MEMORY_LIMIT, "{taken:?}");
}

#[tokio::test]
async fn uploads_are_answered_and_sent_however_many_wait_for_the_queue() {
    many(560, 110, false).await;
}

#[tokio::test]
async fn imports_that_wait_are_sent_after_a_crash() {
    many(200, 110, true).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn two_thousand_imports_are_sent_once_the_queue_is_back() {
    many(2_000, 200, false).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn two_thousand_imports_are_sent_after_a_crash() {
    many(2_000, 200, true).await;
}
