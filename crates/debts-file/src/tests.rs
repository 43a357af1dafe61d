use std::collections::{HashMap, HashSet};

use boleto::{DueDate, DueDateWindow};
use csv::StringRecord;
use jiff::civil::date;

use super::*;

const MIXED: GenerateOptions = GenerateOptions {
    rows: 20_000,
    seed: 7,
    duplicate_share: 0.03,
    invalid_share: 0.02,
};

fn file(options: GenerateOptions) -> (Generated, Vec<u8>) {
    let mut out = Vec::new();
    let generated = generate_in(2026, options, &mut out).unwrap();
    (generated, out)
}

fn records(file: &[u8]) -> Vec<StringRecord> {
    csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(file)
        .records()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// The rules for a valid row, written anew: those of the generator must not judge themselves.
fn is_valid(record: &StringRecord) -> bool {
    let fields: Vec<_> = record.iter().collect();
    let &[name, _, email, amount, due_date, debt_id] = fields.as_slice() else {
        return false;
    };
    !name.is_empty()
        && email_address::EmailAddress::is_valid(email)
        && centavos(amount).is_some_and(|centavos| centavos > 0)
        && is_due_date(due_date)
        && !debt_id.is_empty()
}

fn centavos(amount: &str) -> Option<i64> {
    let (reais, decimals) = amount.split_once('.').unwrap_or((amount, "00"));
    let decimals = match decimals.len() {
        1 => format!("{decimals}0"),
        2 => decimals.to_owned(),
        _ => return None,
    };
    format!("{reais}{decimals}").parse().ok()
}

fn is_due_date(text: &str) -> bool {
    let parts: Vec<_> = text
        .split('-')
        .filter_map(|part| part.parse::<u32>().ok())
        .collect();
    let &[year, month, day] = parts.as_slice() else {
        return false;
    };
    let days = match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (2024..=2027).contains(&year) && (1..=12).contains(&month) && (1..=days).contains(&day)
}

/// All fields, the amount as a number: what two rows of one debt have in common.
fn debt(record: &StringRecord) -> Vec<String> {
    let amount = centavos(&record[3]).unwrap().to_string();
    record
        .iter()
        .enumerate()
        .map(|(index, field)| if index == 3 { &amount } else { field }.to_owned())
        .collect()
}

#[test]
fn the_first_lines_of_a_seed_never_change() {
    let (_, out) = file(GenerateOptions {
        rows: 24,
        duplicate_share: 0.15,
        invalid_share: 0.3,
        ..MIXED
    });

    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

/// `make demo` uploads it; after these years it has to be written anew.
#[test]
fn the_sample_can_be_billed_until_the_middle_of_2031() {
    let sample = include_str!("../../../developer/input.csv");
    for day in [date(2026, 1, 1), date(2031, 6, 30)] {
        let window = DueDateWindow::of_billing_on(day);
        let due_dates: Vec<DueDate> = records(sample.as_bytes())
            .iter()
            .filter_map(|record| record[4].parse().ok())
            .collect();
        assert!(due_dates.len() > 1_900);
        assert!(
            due_dates.iter().all(|due| window.takes(*due).is_ok()),
            "{day}"
        );
    }
}

#[test]
fn the_same_options_make_the_same_file() {
    let (first, second) = (file(MIXED), file(MIXED));
    assert!(first == second);

    let (_, other_seed) = file(GenerateOptions { seed: 8, ..MIXED });
    assert!(first.1 != other_seed);
}

#[test]
fn the_figures_are_exact() {
    let (generated, out) = file(MIXED);
    let mut debts = HashMap::new();
    let mut counted = Generated::default();

    for record in records(&out) {
        counted.rows += 1;
        if !is_valid(&record) {
            counted.invalid += 1;
            continue;
        }
        let debt = debt(&record);
        match debts.insert(record[5].to_owned(), debt.clone()) {
            None => counted.distinct_valid += 1,
            Some(earlier) => {
                assert_eq!(earlier, debt);
                counted.duplicates += 1;
            }
        }
    }

    assert_eq!(counted, generated);
    assert_eq!(
        generated.rows,
        generated.distinct_valid + generated.duplicates + generated.invalid
    );
}

#[test]
fn shares_are_kept_to_within_a_fifth() {
    let (generated, _) = file(MIXED);

    assert!((480..=720).contains(&generated.duplicates), "{generated:?}");
    assert!((320..=480).contains(&generated.invalid), "{generated:?}");
}

#[test]
fn an_invalid_row_never_shares_the_id_of_a_debt() {
    let (_, out) = file(MIXED);
    let (valid, invalid): (Vec<_>, Vec<_>) = records(&out).into_iter().partition(is_valid);
    let billed: HashSet<_> = valid.iter().map(|record| &record[5]).collect();

    assert!(
        invalid
            .iter()
            .filter_map(|record| record.get(5))
            .all(|debt_id| !billed.contains(debt_id))
    );
}

#[test]
fn a_file_with_every_kind_of_flaw_has_no_valid_row() {
    let (generated, out) = file(GenerateOptions {
        rows: 14,
        invalid_share: 1.0,
        duplicate_share: 0.0,
        ..MIXED
    });

    assert_eq!(generated.invalid, 14);
    let records = records(&out);
    assert!(!records.iter().any(is_valid));
    let amounts: Vec<_> = records.iter().map(|record| &record[3]).collect();
    for amount in ["0", "-5.00", "abc", "1.000"] {
        assert!(amounts.contains(&amount), "{amount}");
    }
    let dates: Vec<_> = records.iter().map(|record| &record[4]).collect();
    for date in ["2024-02-30", "2050-01-01", "not-a-date"] {
        assert!(dates.contains(&date), "{date}");
    }
    assert_eq!(records.iter().filter(|record| record.len() == 5).count(), 1);
    assert_eq!(
        records
            .iter()
            .filter(|record| !email_address::EmailAddress::is_valid(&record[2]))
            .count(),
        4
    );
}

#[test]
fn a_valid_file_shows_the_variety_of_real_ones() {
    let (_, out) = file(GenerateOptions {
        invalid_share: 0.0,
        duplicate_share: 0.0,
        ..MIXED
    });
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(text.contains("João"));
    assert!(
        text.lines()
            .any(|line| line.starts_with('"') && line.contains("\"\""))
    );

    let records = records(&out);
    let count = |holds: &dyn Fn(&StringRecord) -> bool| {
        records.iter().filter(|record| holds(record)).count()
    };
    assert!(count(&|record| record[0].contains(',')) > 100);
    assert!(count(&|record| record[0].contains('"')) > 100);
    assert!(count(&|record| record[1].len() == 11) > 10_000);
    assert!(count(&|record| record[1].len() == 14) > 1_000);
    assert!(count(&|record| record[1].len() <= 6) > 1_000);
    assert!(count(&|record| !record[3].contains('.')) > 1_000);
    assert!(
        count(&|record| record[3]
            .split_once('.')
            .is_some_and(|(_, rest)| rest.len() == 1))
            > 1_000
    );
    assert_eq!(count(&is_valid_uuid_v4), records.len());
    assert!(
        records
            .iter()
            .all(|record| { (1_000..=2_000_000).contains(&centavos(&record[3]).unwrap()) })
    );
    assert!(records.iter().all(|record| {
        ["@example.com", "@example.net", "@example.org"]
            .iter()
            .any(|domain| record[2].ends_with(domain))
    }));
}

fn is_valid_uuid_v4(record: &StringRecord) -> bool {
    uuid::Uuid::parse_str(&record[5]).is_ok_and(|id| id.get_version_num() == 4)
}

#[test]
fn a_file_of_no_rows_is_its_header() {
    let (generated, out) = file(GenerateOptions { rows: 0, ..MIXED });

    assert_eq!(generated, Generated::default());
    assert_eq!(
        out,
        b"name,governmentId,email,debtAmount,debtDueDate,debtId\n"
    );
}

#[test]
fn only_duplicates_still_begin_with_a_debt_to_repeat() {
    let (generated, _) = file(GenerateOptions {
        rows: 100,
        duplicate_share: 1.0,
        invalid_share: 0.0,
        ..MIXED
    });

    assert_eq!((generated.distinct_valid, generated.duplicates), (1, 99));
}

#[test]
fn shares_that_are_no_shares_are_refused() {
    for (duplicate_share, invalid_share) in [(-0.1, 0.0), (0.0, 1.1), (0.6, 0.6), (f64::NAN, 0.0)] {
        let mut out = Vec::new();
        let options = GenerateOptions {
            duplicate_share,
            invalid_share,
            ..MIXED
        };

        let error = generate(options, &mut out).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(out.is_empty());
    }
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let error = generate(MIXED, Full).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
