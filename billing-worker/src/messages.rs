//! Messages → the rows in them, and verdicts on the rows → verdicts on the messages.

use common::messaging::{Delivery, Verdict};
use contract::{DebtRecord, InvalidReason, MAX_RECORDS, OptionalFields, RowIdentity, read_records};

use crate::row::{Incoming, Row};

/// The rows of a received batch, message by message.
#[derive(Debug)]
pub struct Unpacked {
    /// All rows.
    pub rows: Vec<Row<Incoming>>,
    /// How many of them each message holds; never 0.
    pub counts: Vec<usize>,
}

/// Reads the records of each message of a received batch. A message that holds
/// none, or more than [`MAX_RECORDS`], is one row that is INVALID.
pub fn unpack(deliveries: &[Delivery]) -> Unpacked {
    let mut rows = Vec::with_capacity(deliveries.len());
    let mut counts = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let first = rows.len();
        unpack_one(delivery, &mut rows);
        counts.push(rows.len() - first);
    }
    Unpacked { rows, counts }
}

fn unpack_one(delivery: &Delivery, rows: &mut Vec<Row<Incoming>>) {
    let first = rows.len();
    let row_at = |place: usize, record| Row {
        index: first + place,
        // Until it is known how many there are.
        identity: RowIdentity::Message(String::new()),
        receive_count: delivery.receive_count,
        trace: delivery.trace.clone(),
        value: Incoming {
            row: delivery.row.and_then(|row| row.behind(place)),
            record,
        },
    };
    let columns = OptionalFields::read_lines(delivery.columns.as_deref());
    let records = read_records(&delivery.body).zip(columns);
    let records =
        records.map(|(record, columns)| record.map(|record| DebtRecord { columns, ..record }));
    let records = records.take(MAX_RECORDS + 1);
    rows.extend(
        records
            .enumerate()
            .map(|(place, record)| row_at(place, record)),
    );
    let unread = match rows.len() - first {
        0 => Some(InvalidReason::NotOneRecord),
        1..=MAX_RECORDS => None,
        _ => Some(InvalidReason::TooManyRecords { most: MAX_RECORDS }),
    };
    if let Some(reason) = unread {
        rows.truncate(first);
        rows.push(row_at(0, Err(reason)));
    }
    match &mut rows[first..] {
        [only] => only.identity = RowIdentity::Message(delivery.id.clone()),
        several => {
            for (row, place) in several.iter_mut().zip(1..) {
                row.identity = RowIdentity::in_message(&delivery.id, place);
            }
        }
    }
}

/// The verdict on each message that holds so many rows: done once all of them
/// are.
pub fn verdicts(counts: &[usize], rows: impl IntoIterator<Item = Verdict>) -> Vec<Verdict> {
    let mut rows = rows.into_iter();
    let of_message = |count: &usize| rows.by_ref().take(*count).fold(Verdict::Done, worse);
    counts.iter().map(of_message).collect()
}

/// What two rows of a message make of it. A row that waits is given all its
/// time, as it would come too early for nothing; the others lose little by it.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Done, verdict) | (verdict, Verdict::Done) => verdict,
        (Verdict::Later(one), Verdict::Later(other)) => Verdict::Later(one.max(other)),
        // No row is put off.
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract::{RowId, push_record};
    use uuid::Uuid;

    use super::*;

    const GOOD: &str = "Ana,1,ana@example.com,7,2027-01-31,17";

    fn message(id: &str, records: &[&str], row: Option<u64>) -> Delivery {
        let mut body = records.first().copied().unwrap_or_default().to_owned();
        for record in records.iter().skip(1) {
            push_record(&mut body, record);
        }
        let import_id = Uuid::from_u128(7);
        Delivery {
            id: id.to_owned(),
            body,
            row: row.map(|row| RowId { import_id, row }),
            columns: None,
            receive_count: 3,
            put_off: 0,
            trace: None,
        }
    }

    /// Identity, number in the import and outcome of the reading of each row.
    type Seen = (String, Option<u64>, Result<String, &'static str>);

    fn seen(row: &Row<Incoming>) -> Seen {
        let record = row.value.record.as_ref();
        (
            row.identity.to_string(),
            row.value.row.map(|row| row.row),
            record
                .map(|record| record.debt_id.clone())
                .map_err(InvalidReason::code),
        )
    }

    #[test]
    fn each_record_is_a_row_with_a_number_and_an_identity_of_its_own() {
        let Unpacked { rows, counts } = unpack(&[
            message("a", &[GOOD], Some(4)),
            message("b", &[GOOD, "bad", GOOD], Some(u64::MAX - 1)),
            message("c", &[], None),
        ]);
        assert_eq!(counts, [1, 3, 1]);
        assert!((0..).zip(&rows).all(|(index, row)| row.index == index));
        assert!(rows.iter().all(|row| row.receive_count == 3));
        let good = || Ok("17".to_owned());
        let expected: [Seen; 5] = [
            ("message:a".into(), Some(4), good()),
            ("message:b#1".into(), Some(u64::MAX - 1), good()),
            ("message:b#2".into(), Some(u64::MAX), Err("field_count")),
            ("message:b#3".into(), None, good()),
            ("message:c".into(), None, Err("not_one_record")),
        ];
        assert_eq!(rows.iter().map(seen).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_message_of_too_many_records_is_one_invalid_row() {
        let first_of = |records: usize| {
            let message = message("a", &vec![GOOD; records], Some(1));
            let Unpacked { rows, counts } = unpack(&[message]);
            assert_eq!(rows.len(), counts[0]);
            (counts[0], seen(&rows[0]))
        };
        let whole = ("message:a#1".into(), Some(1), Ok("17".to_owned()));
        assert_eq!(first_of(MAX_RECORDS), (MAX_RECORDS, whole));
        let cut = ("message:a".into(), Some(1), Err("too_many_records"));
        assert_eq!(first_of(MAX_RECORDS + 1), (1, cut));
    }

    #[test]
    fn a_message_is_done_once_all_its_rows_are() {
        let later = |seconds| Verdict::Later(Duration::from_secs(seconds));
        let (done, failed) = (Verdict::Done, Verdict::Failed);
        let rows = [
            done, // the first message
            done,
            done, // and so on
            done,
            later(2),
            later(0),
            done, //
            later(2),
            failed,
            done,
        ];
        assert_eq!(
            verdicts(&[1, 2, 4, 3], rows),
            [done, done, later(2), failed]
        );
    }
}
