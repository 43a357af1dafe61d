//! `cargo bench -p send-mail-worker`: what an e-mail costs.

#![allow(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
#![allow(missing_docs, reason = "criterion writes the entry point")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use send_mail_worker::compose::{Composer, PrintedSlip};
use send_mail_worker::message_id::{NO_DOMAIN, message_id};

/// About that of a slip.
const PDF_BYTES: usize = 25 * 1024;

fn benches(criterion: &mut Criterion) {
    let from = "Empresa de Demonstração <cobranca@example.com>";
    let composer = Composer::new(from.parse().unwrap(), None);
    let notification = testkit::billed("debt-1", 777);
    let mut group = criterion.benchmark_group("e-mail");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in [("words", 0), ("words and 25 KB of PDF", PDF_BYTES)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || PrintedSlip {
                    pdf: vec![0x81; bytes],
                    registered: true,
                },
                |slip| {
                    let id = message_id(&notification, NO_DOMAIN);
                    composer
                        .compose(
                            black_box(&notification),
                            Some(slip),
                            &id,
                            Timestamp::UNIX_EPOCH,
                        )
                        .unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
