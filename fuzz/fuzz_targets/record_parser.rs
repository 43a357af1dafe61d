//! Any body of a `data-process` message: nothing panics, and a record that is valid is the same
//! when it is written and read again, alone or behind another one.

#![no_main]

use arbitrary::Arbitrary;
use contract::{
    DebtRecord, push_record, read_record, read_records, split_records, write_record,
};
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
            Self::Fields(fields) => write_record(*fields),
            Self::Debt {
                name,
                government_id,
                amount,
                debt_id,
            } => write_record([name, government_id, "a@b.co", amount, "2027-03-15", debt_id]),
        }
    }
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
    assert_eq!(read_records(&body).count(), split_records(&body).len());

    let Ok(record) = read_record(&body) else {
        return;
    };

    assert_valid(&record);
    let again = write_record([
        &*record.name,
        &record.government_id,
        &record.email,
        &record.amount.to_string(),
        &record.due_date.to_string(),
        &record.debt_id,
    ]);
    assert_eq!(read_record(&again), Ok(record.clone()));
    let mut behind = GOOD.to_owned();
    push_record(&mut behind, &again);
    assert_eq!(read_records(&behind).nth(1), Some(Ok(record)));
});
