use contract::{names::MAX_BATCH_ENTRIES, split_records};
use proptest::prelude::*;
use testkit::CsvFile;

use super::*;
use crate::csv::Survey;
use crate::spool::Received;

const IMPORT: Uuid = Uuid::from_u128(7);
const START: Position = Position { offset: 0, rows: 0 };

/// All batches of a file with these records.
fn batches(bodies: Vec<RowBody>, size: BatchSize) -> Vec<BatchAt> {
    let mut filling = Filling::new(IMPORT, None, size, START);
    let mut batches = Vec::new();
    for (number, body) in (1..).zip(bodies) {
        let behind = Position {
            offset: number * 10,
            rows: number,
        };
        batches.extend(filling.add(
            Row {
                number,
                body,
                columns: None,
            },
            behind,
        ));
    }
    if filling.rows > 0 {
        batches.push(filling.take());
    }
    batches
}

fn record(text: &str) -> RowBody {
    RowBody::Message(text.to_owned())
}

/// First row and number of rows of each message.
fn shape(batch: &Batch) -> Vec<(u64, usize)> {
    let shape = |message: &Outgoing| {
        let records = split_records(&message.body);
        (message.row.unwrap().row, records.len())
    };
    batch.messages.iter().map(shape).collect()
}

#[test]
fn a_row_that_cannot_be_sent_ends_its_message() {
    let mut bodies = vec![record("a,b"); 12];
    bodies[1] = RowBody::Invalid(InvalidReason::Characters);
    bodies[5] = record(&"x".repeat(BATCH_BYTES));
    let size = BatchSize {
        messages: 10,
        rows_per_message: 4,
    };
    let batches = batches(bodies, size);
    let [(batch, behind)] = &batches[..] else {
        panic!("{batches:?}");
    };
    assert_eq!(shape(batch), [(1, 1), (3, 3), (7, 4), (11, 2)]);
    let invalid: Vec<_> = batch.invalid.iter().map(|(row, _)| row.row).collect();
    assert_eq!(invalid, [2, 6]);
    assert_eq!(behind.rows, 12);
}

#[test]
fn long_rows_make_messages_of_fewer_that_still_fit_into_one_call() {
    let size = BatchSize {
        messages: 10,
        rows_per_message: 100,
    };
    let bodies = vec![record(&"x".repeat(5_000)); 60];
    let batches = batches(bodies, size);
    let shapes: Vec<_> = batches.iter().map(|(batch, _)| shape(batch)).collect();
    assert_eq!(shapes.len(), 2);
    assert!(shapes[0].iter().all(|(_, rows)| *rows == 5), "{shapes:?}");
    assert_eq!((shapes[0].len(), shapes[1].len()), (10, 2));
}

#[test]
fn files_that_are_read_from_share_a_thread_however_many_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    let file = CsvFile::new().valid_rows(1_000).bytes();
    let mut survey = Survey::new(u64::MAX);
    survey.look(&file).unwrap();
    let received = Received {
        file_name: None,
        surveyed: survey.finish().unwrap(),
        client: String::new(),
        key: None,
        trace: None,
    };
    let size = BatchSize {
        messages: 10,
        rows_per_message: 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut upload = spool.begin().await.unwrap();
        upload.write(&file, &file).unwrap();
        let manifest = upload.commit(received).await.unwrap();
        let start = manifest.start();
        let read = || Batches::read(spool.clone(), manifest.clone(), start, size);
        let mut files: Vec<Batches> = (0..50).map(|_| read()).collect();
        for file in &mut files {
            let (_, behind) = file.next().await.unwrap().unwrap();
            assert_eq!(behind.rows, 10);
        }
        for mut file in files {
            let mut rows = 10;
            while let Some((batch, behind)) = file.next().await.unwrap() {
                rows += batch.messages.len() as u64;
                assert_eq!(behind.rows, rows);
            }
            assert_eq!(rows, 1_000);
        }
    });
}

fn body() -> impl Strategy<Value = RowBody> {
    prop_oneof![
        8 => "[a-z,]{1,40}".prop_map(RowBody::Message),
        2 => (1..20_000_usize).prop_map(|bytes| record(&"x".repeat(bytes))),
        1 => (1..3 * BATCH_BYTES / 2).prop_map(|bytes| record(&"x".repeat(bytes))),
        1 => Just(RowBody::Invalid(InvalidReason::Characters)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_is_in_one_place_and_no_batch_is_too_large(
        bodies in prop::collection::vec(body(), 0..80),
        messages in 1..=MAX_BATCH_ENTRIES,
        rows_per_message in 1..=7_usize,
    ) {
        let size = BatchSize { messages, rows_per_message };
        let mut next = 1;
        for (batch, behind) in batches(bodies.clone(), size) {
            prop_assert!(batch.messages.len() <= messages);
            prop_assert!(batch.messages.len() + batch.invalid.len() <= size.rows());
            let bytes: usize = batch.messages.iter().map(Outgoing::size).sum();
            prop_assert_eq!(bytes, batch.bytes);
            prop_assert!(bytes <= BATCH_BYTES);
            let mut found: Vec<(u64, Option<&str>)> = Vec::new();
            found.extend(batch.invalid.iter().map(|(row, _)| (row.row, None)));
            for message in &batch.messages {
                let records = split_records(&message.body);
                prop_assert!(records.len() <= rows_per_message);
                let first = message.row.unwrap().row;
                found.extend((first..).zip(records.into_iter().map(Some)));
            }
            found.sort_unstable();
            for (row, text) in found {
                prop_assert_eq!(row, next);
                let index = usize::try_from(row - 1).unwrap();
                match (&bodies[index], text) {
                    (RowBody::Message(body), Some(text)) => prop_assert_eq!(body, text),
                    (RowBody::Message(body), None) => {
                        prop_assert!(body.len() + 100 > BATCH_BYTES);
                    }
                    (RowBody::Invalid(_), text) => prop_assert_eq!(text, None),
                }
                next += 1;
            }
            prop_assert_eq!((behind.rows, behind.offset), (next - 1, (next - 1) * 10));
        }
        prop_assert_eq!(next, bodies.len() as u64 + 1);
    }
}
