//! `cargo bench -p billing-worker`: what a row costs from its message to its outcome, with the
//! ledger and the topic in memory.

#![allow(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
#![allow(missing_docs, reason = "criterion writes the entry point")]

use std::time::Duration;

use billing_worker::BillingMetrics;
use billing_worker::chain::billing_chain;
use billing_worker::publisher::Publisher;
use billing_worker::worker::Worker;
use common::ledger::ImportLedger;
use common::messaging::{BatchHandler, BatchSender, CallError, Delivery, EntryOutcome, Outgoing};
use common::rules::BillingRules;
use common::runtime::AppRegistry;
use common::runtime::{Dependency, Outage};
use contract::RowId;
use contract::names::MAX_BATCH_ENTRIES;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use testkit::{CsvRow, MemoryLedger, new_import};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

// That of the service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const IMPORT: Uuid = Uuid::from_u128(1);
const ROWS: u64 = 10_000;
/// Messages of one row that are handled together: they fill the calls of SNS, so that no
/// notification waits for those of another batch.
const BATCH: usize = 50;

/// It takes everything, and keeps nothing.
#[derive(Clone)]
struct Topic(Outage);

impl Dependency for Topic {
    fn outage(&self) -> &Outage {
        &self.0
    }
}

impl BatchSender for Topic {
    async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
        Ok(vec![EntryOutcome::Accepted; entries.len()])
    }
}

/// What the queue holds of an import in which each row has a debt of its own.
fn messages() -> Vec<Delivery> {
    let message = |row: u64| Delivery {
        id: Uuid::from_u128(row.into()).to_string(),
        body: CsvRow::valid(format!("debt-{row}")).line(),
        row: Some(RowId {
            import_id: IMPORT,
            row,
        }),
        columns: None,
        receive_count: 1,
        put_off: 0,
        trace: None,
    };
    (1..=ROWS).map(message).collect()
}

/// A worker that has handled nothing yet, and its figures.
async fn worker() -> (impl BatchHandler, BillingMetrics) {
    let ledger = MemoryLedger::default();
    let import = new_import(IMPORT, ROWS);
    ledger.register_import(&import).await.unwrap();
    let metrics = BillingMetrics::new(&AppRegistry::new("billing-worker").unwrap()).unwrap();
    let stop = CancellationToken::new();
    let topic = Topic(Outage::new("SNS"));
    let publisher = Publisher::spawn(
        topic,
        MAX_BATCH_ENTRIES,
        Duration::from_secs(1),
        stop.clone(),
    );
    let rules = BillingRules::default();
    let chain = billing_chain(&ledger, rules, publisher, &metrics, &stop);
    let worker = Worker::new(chain, ledger, metrics.clone(), stop);
    (worker, metrics)
}

fn benches(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let messages = messages();
    let mut group = criterion.benchmark_group("chain");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function(format!("new debts, {BATCH} a batch"), |bencher| {
        let start = || {
            let batches: Vec<_> = messages.chunks(BATCH).map(<[_]>::to_vec).collect();
            (runtime.block_on(worker()), batches)
        };
        bencher.iter_batched(
            start,
            |((worker, metrics), batches)| {
                runtime.block_on(async {
                    for batch in batches {
                        worker.handle(&batch).await;
                    }
                });
                assert_eq!(metrics.notifications_sent.get(), ROWS);
                worker
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(chain, benches);
criterion_main!(chain);
