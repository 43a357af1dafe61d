//! Sending to a queue that takes batches in part, refuses, or fails, and what
//! is sent again after a stop. The queue is a fake, as no emulator fails on
//! request; spool and ledger are real.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::ledger::{ImportLedger, RowLedger, SharedLedger};
use common::messaging::{BatchSender, CallError, EntryOutcome, Outgoing};
use common::runtime::AppRegistry;
use common::runtime::{Dependency, Outage};
use contract::split_records;
use importer_api::ImporterMetrics;
use importer_api::csv::Survey;
use importer_api::import::{Arrivals, BatchSize, Importer, SendingLimits};
use importer_api::spool::{Manifest, Received, Spool};
use tempfile::TempDir;
use testkit::{CsvFile, CsvRow, Stack, poll_until, sample};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(20);

/// Every third call fails as a whole; of the others the entries of odd rows
/// fail at their first try; one with a row `refused` is refused, and a call
/// that holds `poison` is refused as a whole. After `limit` rows it is away for
/// good, and for a call with the row `stuck` it always is.
#[derive(Clone)]
struct Queue {
    calls: Arc<AtomicUsize>,
    tries: Arc<Mutex<BTreeMap<u64, u32>>>,
    accepted: Arc<Mutex<BTreeMap<u64, u32>>>,
    /// First row and number of rows of each message that was accepted.
    messages: Arc<Mutex<Vec<(u64, usize)>>>,
    limit: usize,
    stuck: Option<u64>,
    outage: Outage,
}

impl Dependency for Queue {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl Queue {
    fn new(limit: usize) -> Self {
        Self {
            calls: Arc::default(),
            tries: Arc::default(),
            accepted: Arc::default(),
            messages: Arc::default(),
            limit,
            stuck: None,
            outage: Outage::new("SQS"),
        }
    }

    fn accepted(&self) -> BTreeMap<u64, u32> {
        self.accepted.lock().unwrap().clone()
    }

    fn messages(&self) -> Vec<(u64, usize)> {
        let mut messages = self.messages.lock().unwrap().clone();
        messages.sort_unstable();
        messages
    }
}

impl BatchSender for Queue {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        if self.accepted().len() >= self.limit {
            return Err(CallError::new("away for good"));
        }
        if entries
            .iter()
            .any(|e| e.row.map(|row| row.row) == self.stuck)
        {
            return Err(CallError::new("away for this one"));
        }
        if entries.iter().any(|entry| entry.body.contains("poison")) {
            return Err(CallError::with_code("InvalidMessageContents", "poison"));
        }
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(CallError::new("connection reset"));
        }
        let mut tries = self.tries.lock().unwrap();
        let mut accepted = self.accepted.lock().unwrap();
        let outcome = |entry: &&Outgoing| {
            let row = entry.row.unwrap().row;
            let tries = tries.entry(row).or_default();
            *tries += 1;
            if entry.body.contains("refused") {
                EntryOutcome::Refused("refused".into())
            } else if row % 2 == 1 && *tries == 1 {
                EntryOutcome::Failed("busy".into())
            } else {
                let rows = split_records(&entry.body).len();
                for row in (row..).take(rows) {
                    *accepted.entry(row).or_default() += 1;
                }
                self.messages.lock().unwrap().push((row, rows));
                EntryOutcome::Accepted
            }
        };
        Ok(entries.iter().map(outcome).collect())
    }
}

struct Setting {
    stack: Stack,
    ledger: SharedLedger,
    folder: TempDir,
    spool: Spool,
    manifest: Manifest,
}

/// Makes a file an import.
async fn store(spool: &Spool, file: &[u8]) -> Manifest {
    let mut survey = Survey::new(u64::MAX);
    survey.look(file).unwrap();
    let mut upload = spool.begin().await.unwrap();
    upload.write(file, file).unwrap();
    let received = Received {
        file_name: None,
        surveyed: survey.finish().unwrap(),
        client: String::new(),
        key: None,
        trace: None,
    };
    upload.commit(received).await.unwrap()
}

impl Setting {
    async fn with(file: Vec<u8>) -> Self {
        let stack = Stack::start().await;
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let manifest = store(&spool, &file).await;
        Self {
            ledger: stack.ledger().await,
            stack,
            folder,
            spool,
            manifest,
        }
    }

    /// With so many rows a message.
    async fn importer(
        &self,
        queue: &Queue,
        stop: &CancellationToken,
        rows_per_message: usize,
    ) -> (Arc<Importer<Queue, SharedLedger>>, AppRegistry) {
        let registry = AppRegistry::new("importer-api").unwrap();
        let importer = Importer::new(
            (self.spool.clone(), self.arrivals().await),
            self.ledger.clone(),
            queue.clone(),
            ImporterMetrics::new(&registry).unwrap(),
            limits(8, batches_of(10, rows_per_message)),
            stop.clone(),
        );
        (Arc::new(importer), registry)
    }

    /// What is unfinished now.
    async fn arrivals(&self) -> Arrivals {
        let arrivals = Arrivals::default();
        arrivals.add_unknown(self.spool.unfinished().await.unwrap());
        arrivals
    }

    /// Up to which row the import is sent, as the ledger knows.
    async fn sent(&self) -> u64 {
        let import_id = self.manifest.import_id;
        let status = self.ledger.import_status(import_id).await.unwrap().unwrap();
        assert_eq!((status.sent_at, status.carried_until), (None, None));
        status.sent
    }

    /// Runs until the imports that are unfinished now are finished.
    async fn finish(&self, queue: &Queue, rows_per_message: usize) -> AppRegistry {
        let stop = CancellationToken::new();
        let (importer, registry) = self.importer(queue, &stop, rows_per_message).await;
        let run = tokio::spawn(importer.run());
        poll_until("the import to be finished", LONG, async || {
            self.spool
                .unfinished()
                .await
                .unwrap()
                .is_empty()
                .then_some(())
        })
        .await;
        stop.cancel();
        run.await.unwrap();
        registry
    }
}

fn limits(batches: usize, batch_size: BatchSize) -> SendingLimits {
    SendingLimits {
        open_imports: 16,
        batches,
        batch_size,
    }
}

fn batches_of(messages: usize, rows_per_message: usize) -> BatchSize {
    BatchSize {
        messages,
        rows_per_message,
    }
}

fn counter(registry: &AppRegistry, name: &str) -> u64 {
    sample(&registry.render().unwrap(), name)
}

#[tokio::test]
async fn every_row_is_accepted_or_recorded_as_invalid() {
    let named = |name: &str| CsvRow {
        name: name.into(),
        ..CsvRow::valid(name)
    };
    let file = CsvFile::new()
        .valid_rows(50)
        .row(&named("refused"))
        .row(&named("poison"))
        .valid_rows(50)
        .bytes();
    let setting = Setting::with(file).await;
    let queue = Queue::new(usize::MAX);
    let registry = setting.finish(&queue, 1).await;

    let accepted = queue.accepted();
    let expected = (1..=102).filter(|row| ![51, 52].contains(row));
    assert_eq!(
        accepted.keys().copied().collect::<Vec<_>>(),
        expected.collect::<Vec<u64>>()
    );
    assert!(accepted.values().all(|times| *times == 1), "{accepted:?}");
    let import_id = setting.manifest.import_id;
    let counts = setting.ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!(counts.invalid, 2);
    assert_eq!(counter(&registry, "csv_processor_messages_sent_total"), 100);
    assert_eq!(counter(&registry, "csv_processor_rows_invalid_total"), 2);
    assert_eq!(
        counter(&registry, "csv_processor_duration_seconds_count"),
        1
    );
    drop(setting.stack);
}

#[tokio::test]
async fn of_a_message_that_is_refused_only_the_culprit_is_invalid() {
    let named = |name: &str| CsvRow {
        name: name.into(),
        ..CsvRow::valid("7")
    };
    let file = CsvFile::new()
        .valid_rows(23)
        .row(&named("refused"))
        .valid_rows(20)
        .line("a\0b,1,a@b.co,1,2027-03-15,7")
        .row(&named("poison, \"with\"\na line break"))
        .valid_rows(24)
        .bytes();
    let setting = Setting::with(file).await;
    let queue = Queue::new(usize::MAX);
    let registry = setting.finish(&queue, 10).await;

    let invalid = [24, 45, 46];
    let expected = (1..=70).filter(|row| !invalid.contains(row));
    let accepted = queue.accepted();
    assert_eq!(
        accepted.keys().copied().collect::<Vec<_>>(),
        expected.collect::<Vec<u64>>()
    );
    assert!(accepted.values().all(|times| *times == 1), "{accepted:?}");
    // The neighbours of a culprit are sent one by one, the others ten by ten;
    // the row that cannot be sent ends a message.
    let alone = |rows: RangeInclusive<u64>| rows.map(|row| (row, 1));
    let messages: Vec<(u64, usize)> = [(1, 10), (11, 10)]
        .into_iter()
        .chain(alone(21..=30).filter(|(row, _)| *row != 24))
        .chain([(31, 10), (41, 4)])
        .chain(alone(47..=55))
        .chain([(56, 10), (66, 5)])
        .collect();
    assert_eq!(queue.messages(), messages);
    let import_id = setting.manifest.import_id;
    let facts = setting.ledger.row_facts(import_id, 1, 70).await.unwrap();
    let reasons = facts.iter().filter_map(|row| {
        let reason = row.reason.as_ref()?;
        row.invalid
            .then(|| (row.row, reason.code.clone().into_owned()))
    });
    let refused = "refused_by_queue".to_owned();
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            (24, refused.clone()),
            (45, "characters".to_owned()),
            (46, refused)
        ]
    );
    let messages = messages.len() as u64;
    for (name, value) in [
        ("csv_processor_messages_sent_total", messages),
        ("csv_processor_rows_invalid_total", 3),
    ] {
        assert_eq!(counter(&registry, name), value, "{name}");
    }
    let status = setting.ledger.import_status(import_id).await.unwrap();
    assert_eq!(status.unwrap().sent, 70);
}

#[tokio::test]
async fn after_a_stop_no_row_is_left_out_and_few_are_sent_again() {
    resumes(1, 1).await;
}

#[tokio::test]
async fn an_import_goes_on_with_other_numbers_of_rows_a_message() {
    resumes(1, 10).await;
    resumes(10, 3).await;
}

/// Stops an import that is sent with so many rows a message, and sends the
/// rest with so many others.
async fn resumes(before: usize, after: usize) {
    let setting = Setting::with(CsvFile::new().valid_rows(2_000).bytes()).await;
    let away = Queue::new(1_500);
    let stop = CancellationToken::new();
    let (importer, _) = setting.importer(&away, &stop, before).await;
    let run = tokio::spawn(importer.run());
    poll_until("three quarters of the rows", LONG, async || {
        (away.accepted().len() >= 1_500).then_some(())
    })
    .await;
    stop.cancel();
    run.await.unwrap();
    let sent = setting.sent().await;
    assert!(sent > 500, "{sent}");
    assert!((1..=sent).all(|row| away.accepted().contains_key(&row)));

    let back = Queue::new(usize::MAX);
    setting.finish(&back, after).await;
    let expected: Vec<u64> = (sent + 1..=2_000).collect();
    assert_eq!(back.accepted().into_keys().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_checkpoint_is_never_behind_a_row_that_was_not_accepted() {
    let setting = Setting::with(CsvFile::new().valid_rows(2_000).bytes()).await;
    let gapped = Queue {
        stuck: Some(500),
        ..Queue::new(usize::MAX)
    };
    let stop = CancellationToken::new();
    let (importer, _) = setting.importer(&gapped, &stop, 1).await;
    let run = tokio::spawn(importer.run());
    poll_until("all rows but those of the stuck batch", LONG, async || {
        let accepted = gapped.accepted();
        let before = (1..=490).all(|row| accepted.contains_key(&row));
        (before && accepted.contains_key(&540)).then_some(())
    })
    .await;
    stop.cancel();
    run.await.unwrap();
    assert_eq!(setting.sent().await, 490);

    let back = Queue::new(usize::MAX);
    setting.finish(&back, 1).await;
    assert!((491..=2_000).all(|row| back.accepted().contains_key(&row)));
}

/// Keeps the import of each row in the order in which they are sent, and takes
/// its time.
#[derive(Clone)]
struct SlowQueue {
    sent: Arc<Mutex<Vec<Uuid>>>,
    outage: Outage,
}

impl Dependency for SlowQueue {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl BatchSender for SlowQueue {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let imports = entries.iter().map(|entry| entry.row.unwrap().import_id);
        self.sent.lock().unwrap().extend(imports);
        Ok(vec![EntryOutcome::Accepted; entries.len()])
    }
}

impl SlowQueue {
    fn new() -> Self {
        Self {
            sent: Arc::default(),
            outage: Outage::new("SQS"),
        }
    }

    fn sent(&self) -> Vec<Uuid> {
        self.sent.lock().unwrap().clone()
    }
}

impl Setting {
    /// Sends so many imports at a time until those are finished.
    async fn send_slowly(&self, open_imports: usize, finished: &[Uuid]) -> Vec<Uuid> {
        let queue = SlowQueue::new();
        let stop = CancellationToken::new();
        let registry = AppRegistry::new("importer-api").unwrap();
        let importer = Arc::new(Importer::new(
            (self.spool.clone(), self.arrivals().await),
            self.ledger.clone(),
            queue.clone(),
            ImporterMetrics::new(&registry).unwrap(),
            SendingLimits {
                open_imports,
                ..limits(4, batches_of(10, 1))
            },
            stop.clone(),
        ));
        let run = tokio::spawn(importer.run());
        poll_until("the imports to be sent", LONG, async || {
            let unfinished = self.spool.unfinished().await.unwrap();
            let is_finished = |id| !unfinished.contains(id);
            finished.iter().all(is_finished).then_some(())
        })
        .await;
        stop.cancel();
        run.await.unwrap();
        queue.sent()
    }
}

#[tokio::test]
async fn a_large_import_does_not_hold_up_a_small_one() {
    let setting = Setting::with(CsvFile::new().valid_rows(5_000).bytes()).await;
    let large = setting.manifest.import_id;
    let small = CsvFile::new().valid_rows(50).bytes();
    let small = store(&setting.spool, &small).await.import_id;
    let sent = setting.send_slowly(16, &[large, small]).await;
    let last_of_small = sent.iter().rposition(|import| *import == small).unwrap();
    assert!(last_of_small < 1_000, "after {last_of_small} rows");
    assert_eq!(
        sent.iter().filter(|import| **import == large).count(),
        5_000
    );
}

#[tokio::test]
async fn so_many_imports_are_sent_at_a_time_and_the_oldest_first() {
    let file = CsvFile::new().valid_rows(100).bytes();
    let setting = Setting::with(file.clone()).await;
    let mut imports = vec![setting.manifest.import_id];
    for _ in 0..7 {
        imports.push(store(&setting.spool, &file).await.import_id);
    }
    let sent = setting.send_slowly(2, &imports).await;
    assert_eq!(sent.len(), 800);
    let first = |import: &Uuid| sent.iter().position(|sent| sent == import).unwrap();
    let last = |import: &Uuid| sent.iter().rposition(|sent| sent == import).unwrap();
    for (place, import) in imports.iter().enumerate() {
        let begins = first(import);
        let older = imports[..place].iter();
        let unsent = older.filter(|older| last(older) > begins).count();
        assert!(unsent <= 1, "{unsent} before number {place}");
    }
}

#[tokio::test]
async fn an_import_that_the_disk_keeps_from_its_end_leaves_its_place_to_the_next() {
    let file = CsvFile::new().valid_rows(20).bytes();
    let setting = Setting::with(file.clone()).await;
    let next = store(&setting.spool, &file).await.import_id;
    let stuck = setting.manifest.import_id;
    // A folder cannot be read as a file.
    let path = setting.folder.path().join(format!("{stuck}.csv"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let sent = setting.send_slowly(1, &[next]).await;
    assert_eq!(sent, [next; 20]);
    assert_eq!(setting.spool.unfinished().await.unwrap(), [stuck]);
}
