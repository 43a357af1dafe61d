//! `cargo bench -p boleto`: what a boleto costs.

use std::hint::black_box;

use boleto::{Agreement, Barcode, Boleto, DocumentType};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn agreement(bank: &str) -> Agreement {
    let text = include_str!("../src/demonstration.toml");
    let (head, _) = text.split_once("[bank]").unwrap_or_default();
    Agreement::from_toml(&format!("{head}[bank]\n{bank}")).unwrap_or_else(|error| panic!("{error}"))
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("boleto");
    group.throughput(Throughput::Elements(1));
    let brasil = "code='001'\nagencia='452'\nconta='123873'\nconvenio='3128557'\ncarteira='17'\n";
    for (name, agreement) in [
        ("001", agreement(brasil)),
        (
            "001 with PIX",
            agreement(&format!("{brasil}[pix]\nkey='cobranca@example.com'\n")),
        ),
        (
            "033",
            agreement("code='033'\nagencia='1'\nbeneficiario='707077'\ncarteira='101'\n"),
        ),
        (
            "104",
            agreement("code='104'\nagencia='1'\nbeneficiario='5507'\nmodalidade='14'\n"),
        ),
        (
            "237",
            agreement(
                "code='237'\nagencia='1'\nagencia_digito='P'\nconta='6580'\nconta_digito='4'\ncarteira='09'\n",
            ),
        ),
        (
            "341",
            agreement("code='341'\nagencia='1'\nconta='2124'\ncarteira='109'\n"),
        ),
    ] {
        let (amount, due) = ("100.50".parse(), "2026-07-01".parse());
        let (Ok(amount), Ok(due)) = (amount, due) else {
            return;
        };
        let mut sequence = 0;
        group.bench_function(format!("issue {name}, with its line"), |bencher| {
            bencher.iter(|| {
                sequence = (sequence + 1) % 99_999_999;
                let boleto = Boleto::issue(black_box(&agreement), sequence, amount, due);
                boleto.map(|boleto| (boleto.barcode.digitable_line(), boleto))
            });
        });
    }
    let barcode = "00191699100000400000000001234567000000000517";
    group.bench_function("read a barcode", |bencher| {
        bencher.iter(|| black_box(barcode).parse::<Barcode>());
    });
    group.bench_function("classify a CNPJ", |bencher| {
        bencher.iter(|| DocumentType::of(black_box("12ABC34501DE35")));
    });
    group.finish();
}

criterion_group!(issue, benches);
criterion_main!(issue);
