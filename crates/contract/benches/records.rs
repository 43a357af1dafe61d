//! `cargo bench -p common`: what a record costs to read from the body of its message.

#![allow(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
#![allow(missing_docs, reason = "criterion writes the entry point")]

use std::hint::black_box;

use contract::{push_record, read_records};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use testkit::CsvRow;

/// A message with that many times the same record.
fn body(record: &str, records: usize) -> String {
    let mut body = record.to_owned();
    for _ in 1..records {
        push_record(&mut body, record);
    }
    body
}

fn benches(criterion: &mut Criterion) {
    let plain = CsvRow::valid("ea23f2ca-663a-4266-a742-9da4c9f4fcb3");
    let quoted = CsvRow {
        name: "Silva, João \"Zé\" da".to_owned(),
        debt_amount: "7.811,50".to_owned(),
        ..plain.clone()
    };
    let mut group = criterion.benchmark_group("records");
    for (name, row, records) in [
        ("1 a message", &plain, 1),
        ("10 a message", &plain, 10),
        ("10 a message, quoted", &quoted, 10),
    ] {
        let body = body(&row.line(), records);
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut read = 0;
                for record in read_records(black_box(&body)) {
                    black_box(record.unwrap());
                    read += 1;
                }
                assert_eq!(read, records);
            });
        });
    }
}

criterion_group!(records, benches);
criterion_main!(records);
