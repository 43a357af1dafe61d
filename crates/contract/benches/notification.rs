//! `cargo bench -p common`: what the boleto adds to the billing of a debt, from its number to the
//! text that is stored and published; and what it takes to read that text again.

use std::hint::black_box;
use std::sync::Arc;

use boleto::{Agreement, Boleto};
use contract::{BilledBoleto, DebtRecord, Notification, ReceivedNotification, read_record};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROW: &str = "Elijah Santos,52998224725,janet95@example.com,7811,2027-01-19,\
                   ea23f2ca-663a-4266-a742-9da4c9f4fcb3";

fn without(record: DebtRecord) -> Option<String> {
    serde_json::to_string(&Notification::of(record)).ok()
}

fn benches(criterion: &mut Criterion) {
    let Ok(record) = read_record(ROW) else {
        return;
    };
    let agreement = Agreement::demonstration();
    let (issuer, beneficiary): (_, Arc<str>) =
        (agreement.id(), agreement.beneficiary().name.as_str().into());
    let issued_on = jiff::civil::date(2026, 11, 24);
    let mut sequence = 0;
    let mut with = |record: DebtRecord| {
        sequence += 1;
        agreement.takes(record.amount).ok()?;
        let boleto = Boleto::issue(&agreement, sequence, record.amount, record.due_date).ok()?;
        let notification = Notification {
            boleto: Some(BilledBoleto {
                our_number: boleto.our_number.into(),
                barcode: boleto.barcode,
                beneficiary: Arc::clone(&beneficiary),
                issuer,
                issued_on,
                pix: boleto.pix,
            }),
            ..Notification::of(record)
        };
        serde_json::to_string(&notification).ok()
    };
    let Some(body) = with(record.clone()) else {
        return;
    };
    let mut group = criterion.benchmark_group("notification");
    group.throughput(Throughput::Elements(1));
    group.bench_function("of a debt without a boleto", |bencher| {
        bencher.iter_batched(
            || record.clone(),
            |r| without(black_box(r)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("of a debt with its boleto", |bencher| {
        bencher.iter_batched(
            || record.clone(),
            |r| with(black_box(r)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| ReceivedNotification::read(black_box(&body), None).ok());
    });
    group.finish();
}

criterion_group!(notification, benches);
criterion_main!(notification);
