//! `cargo bench -p slip`: what a slip costs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[path = "../tests/slips/samples.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod samples;

use samples::Sample;

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slip");
    group.throughput(Throughput::Elements(1));
    for sample in [Sample::demonstration(), Sample::with_pix()] {
        group.bench_function(&sample.name, |bencher| {
            bencher.iter(|| black_box(sample.slip()).to_pdf());
        });
    }
    group.finish();
}

criterion_group!(page, benches);
criterion_main!(page);
