//! `cargo bench -p importer-api`: what a row costs from its file on disk to its batch.

#![allow(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
#![allow(missing_docs, reason = "criterion writes the entry point")]

mod text;

use std::hint::black_box;

use contract::names::MAX_BATCH_ENTRIES;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use importer_api::csv::Survey;
use importer_api::import::{BatchSize, Batches};
use importer_api::spool::{Manifest, Received, Spool};
use tokio::runtime::Builder;

// That of the service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An import that has been accepted.
async fn accepted(spool: &Spool) -> Manifest {
    let text = text::generated();
    let mut survey = Survey::new(u64::MAX);
    survey.look(&text).unwrap();
    let mut upload = spool.begin().await.unwrap();
    upload.write(&text, &text).unwrap();
    let received = Received {
        file_name: None,
        surveyed: survey.finish().unwrap(),
        client: String::new(),
        key: None,
        trace: None,
    };
    upload.commit(received).await.unwrap()
}

/// Reads all batches, and gives how many rows there are.
async fn read(spool: Spool, manifest: Manifest, size: BatchSize) -> u64 {
    let start = manifest.start();
    let mut batches = Batches::read(spool, manifest, start, size);
    let mut behind = start;
    while let Some(batch) = batches.next().await.unwrap() {
        (_, behind) = black_box(batch);
    }
    behind.rows
}

fn benches(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let manifest = runtime.block_on(accepted(&spool));
    let mut group = criterion.benchmark_group("batching");
    group.throughput(Throughput::Elements(text::ROWS));
    for rows_per_message in [1, 10] {
        let size = BatchSize {
            messages: MAX_BATCH_ENTRIES,
            rows_per_message,
        };
        group.bench_function(format!("{rows_per_message} a message"), |bencher| {
            bencher.iter(|| {
                let rows = runtime.block_on(read(spool.clone(), manifest.clone(), size));
                assert_eq!(rows, text::ROWS);
            });
        });
    }
}

criterion_group!(batching, benches);
criterion_main!(batching);
