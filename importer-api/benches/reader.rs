//! `cargo bench -p importer-api`: what a row costs to count as its file comes in, and to read.

#![allow(clippy::unwrap_used, reason = "a panic is how a benchmark fails")]
#![allow(missing_docs, reason = "criterion writes the entry point")]

mod text;

use std::hint::black_box;

use contract::Layout;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use importer_api::csv::{Position, Rows, Survey, Surveyed};

// That of the service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of an upload that come in at a time, about.
const PIECE_BYTES: usize = 64 * 1024;

fn survey(text: &[u8]) -> Surveyed {
    let mut survey = Survey::new(u64::MAX);
    for piece in text.chunks(PIECE_BYTES) {
        survey.look(piece).unwrap();
    }
    survey.finish().unwrap()
}

/// Reads all rows, and gives how many there are.
fn read(data: &[u8], layout: Layout) -> u64 {
    let start = Position { offset: 0, rows: 0 };
    let mut rows = Rows::new(data, layout, start);
    while let Some(row) = rows.next_row().unwrap() {
        black_box(row);
    }
    rows.position().rows
}

fn benches(criterion: &mut Criterion) {
    let text = text::generated();
    let surveyed = survey(&text);
    let data = &text[usize::try_from(surveyed.data_start).unwrap()..];
    assert_eq!(surveyed.rows, text::ROWS);
    assert_eq!(read(data, surveyed.layout.clone()), text::ROWS);
    let mut group = criterion.benchmark_group("CSV reader");
    group.throughput(Throughput::ElementsAndBytes {
        elements: text::ROWS,
        bytes: text.len() as u64,
    });
    group.bench_function("survey", |bencher| {
        bencher.iter(|| survey(black_box(&text)));
    });
    group.bench_function("rows", |bencher| {
        bencher.iter(|| read(black_box(data), surveyed.layout.clone()));
    });
}

criterion_group!(reader, benches);
criterion_main!(reader);
