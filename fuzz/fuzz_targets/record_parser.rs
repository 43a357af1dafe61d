//! Any body of a `data-process` message: nothing panics, a record that is valid is the same when
//! it is written and read again, alone or behind another one, and nothing of a body is left for
//! the next one.

#![no_main]

use arbitrary::Arbitrary;
use common::contract::{DebtRecord, RecordReader, RecordWriter, push_record, split_records};
use libfuzzer_sys::fuzz_target;

const GOOD: &str = "A,1,a@b.co,1,2027-03-15,7";

#[derive(Debug, Arbitrary)]
enum Body<'a> {
    /// As it comes.
    Text(&'a str),
    /// Six fields, quoted as they must be.
    Fields([&'a str; 6]),
    /// Six fields, those valid that few inputs would get right.
    Debt {
        name: &'a str,
        government_id: &'a str,
        amount: &'a str,
        debt_id: &'a str,
    },
}

impl Body<'_> {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            Self::Fields(fields) => written(*fields),
            Self::Debt {
                name,
                government_id,
                amount,
                debt_id,
            } => written([name, government_id, "a@b.co", amount, "2027-03-15", debt_id]),
        }
    }
}

fn written(fields: [&str; 6]) -> String {
    let body = RecordWriter::default().write(fields.map(str::as_bytes));
    String::from_utf8(body).expect("text stays text")
}

fn assert_valid(record: &DebtRecord) {
    for text in [&record.name, &record.government_id, &record.debt_id] {
        assert!(!text.is_empty());
        assert_eq!(text.trim(), text);
    }
    assert!(record.amount.centavos() > 0);
}

fuzz_target!(|body: Body<'_>| {
    let body = body.text();
    let mut reader = RecordReader::default();
    assert_eq!(reader.records(&body).count(), split_records(&body).len());

    let Ok(record) = reader.read(&body) else {
        // One that is refused leaves nothing behind.
        let good = reader.read(GOOD).expect("it is valid");
        assert_eq!((&*good.name, &*good.debt_id), ("A", "7"));
        return;
    };

    assert_valid(&record);
    let again = written([
        &record.name,
        &record.government_id,
        &record.email,
        &record.amount.to_string(),
        &record.due_date.to_string(),
        &record.debt_id,
    ]);
    assert_eq!(reader.read(&again), Ok(record.clone()));
    let mut behind = GOOD.to_owned();
    push_record(&mut behind, &again);
    assert_eq!(reader.records(&behind).nth(1), Some(Ok(record)));
});
