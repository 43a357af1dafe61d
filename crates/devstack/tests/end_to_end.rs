//! The three services together: from an upload to the e-mails.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use contract::Reason;
use suite::Suite;
use testkit::{CsvFile, CsvRow};

#[tokio::test]
async fn every_row_has_one_outcome_and_every_bill_one_mail_however_often_a_file_comes() {
    let suite = Suite::start().await;
    let bad = CsvRow {
        email: "nobody".into(),
        ..CsvRow::valid("bad")
    };
    let file = CsvFile::new()
        .valid_rows(60)
        .row(&bad)
        .line("too,few")
        .bytes();
    let first = suite.completed(suite.upload(file.clone()).await).await;
    assert_eq!(
        (first.rows, first.billed, first.invalid, first.skipped),
        (62, 60, 2, 0)
    );

    let again = suite.completed(suite.upload(file.clone()).await).await;
    assert_eq!((again.billed, again.invalid, again.skipped), (0, 2, 60));

    suite.queues_are_empty().await;
    assert_eq!(suite.mails_by_debt().len(), 60);
    for (service, metric, value) in [
        (
            &suite.importers[0],
            "csv_processor_messages_sent_total",
            122,
        ),
        (
            &suite.billing_workers[0],
            "billing_processed_successfully_total",
            60,
        ),
        (&suite.billing_workers[0], "skipped_messages_total", 60),
        (&suite.importers[0], "csv_processor_rows_invalid_total", 2),
        (&suite.billing_workers[0], "invalid_messages_total", 2),
        (&suite.billing_workers[0], "notification_sent_total", 60),
        (&suite.mail_workers[0], "mails_sent_total", 60),
    ] {
        assert_eq!(service.metric(metric).await, value, "{metric}");
    }
}

/// Of the sample and of another file, and of one with the debts of both.
#[tokio::test]
async fn what_a_preview_says_is_what_is_billed() {
    let suite = Suite::start().await;
    let sample = include_bytes!("../../../developer/input.csv").to_vec();
    let more = generated(300, 5);
    let rows = more.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let both = [&sample, &generated(400, 5)[rows..]].concat();
    let mut mailed = 0;
    for file in [sample, more, both] {
        let preview = suite.preview(file).await;
        let import_id = preview["preview_id"].as_str().unwrap();
        suite.accept(import_id).await;
        let counts = suite.completed(import_id.parse().unwrap()).await;
        let said = |of: &str| preview["rows"][of].as_u64().unwrap();
        assert_eq!(
            (counts.rows, counts.billed, counts.invalid),
            (said("total"), said("valid"), said("invalid"))
        );
        assert_eq!(counts.skipped, said("duplicates") + said("already_billed"));
        let mails = suite.mails.mails();
        let new = mails[mailed..].iter();
        let sum: i64 = new.map(|mail| mail.debt_amount.centavos()).sum();
        mailed = mails.len();
        let said = preview["amount"]["sum"].as_f64().unwrap();
        let sum = format!("{}.{:02}", sum / 100, sum % 100);
        assert_eq!(format!("{said:.2}"), sum);
        let problems = preview["problems"].as_array().unwrap().len() as u64;
        assert_eq!(problems, counts.invalid.min(100));
    }
}

fn generated(rows: u64, seed: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let options = debts_file::GenerateOptions::usual(rows, seed);
    debts_file::generate(options, &mut file).unwrap();
    file
}

#[tokio::test]
async fn a_mail_that_is_refused_for_ever_is_a_rejection_of_its_import() {
    let suite = Suite::start().await;
    let reason = Reason {
        code: "mailbox_unknown".into(),
        text: "the mail server does not know the mailbox".into(),
    };
    suite.mails.refuse("debt-2", reason);
    suite.mails.go_away_at_sends(1);
    let file = CsvFile::new().valid_rows(3).bytes();
    let import_id = suite.upload(file.clone()).await;
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.billed, counts.mailed), (3, 2));
    assert_eq!(counts.undeliverable, 1);
    let route = format!("/v1/imports/{import_id}/rejections");
    let rejections = suite.importers[0].get(&route).await;
    let rejected = ",3,2,\"mailbox_unknown\",\"the mail server does not know the mailbox\"";
    let lines: Vec<&str> = rejections.lines().collect();
    assert_eq!(lines.len(), 2, "{rejections}");
    assert!(lines[1].ends_with(rejected), "{rejections}");

    // Nor is it tried again when its file comes again.
    suite.completed(suite.upload(file).await).await;
    suite.queues_are_empty().await;
    assert_eq!(suite.mails.asked("debt-2"), 1);
    assert_eq!(suite.mails_by_debt().len(), 2);
}

#[tokio::test]
async fn the_same_file_twice_at_once_is_billed_once() {
    let suite = Suite::start().await;
    let file = CsvFile::new().valid_rows(100).bytes();
    let (one, other) = tokio::join!(suite.upload(file.clone()), suite.upload(file));
    let (one, other) = tokio::join!(suite.completed(one), suite.completed(other));
    assert_eq!(one.billed + other.billed, 100);
    assert_eq!(one.skipped + other.skipped, 100);
    assert_eq!(suite.mails_by_debt().len(), 100);
    suite.queues_are_empty().await;
}

#[tokio::test]
async fn what_a_customer_reads_is_what_the_file_says() {
    let suite = Suite::start().await;
    let file = |id: &str| {
        format!(
            "debtID;E;EMAIL;debtDueDate;name;debtAmount;governmentId\r\n\
             {id}-1 ;x;ze@example.com;2027-01-31;\"José \"\"Zé\"\" da Silva; filho\r\n2º\";1.234,50;001.234.567-89\r\n\
             \r\n \
             {id}-2;x;conceicao@example.com;2027-02-28;Conceição;0,01;12ABC34501DE35\r\n"
        )
    };
    for (id, file) in [
        ("utf-8", file("utf-8").into_bytes()),
        ("latin1", latin1(&file("latin1"))),
    ] {
        suite.completed(suite.upload(file).await).await;
        let mails = suite.mails_by_debt();
        let first = &mails[&format!("{id}-1")];
        assert_eq!(first.name, "José \"Zé\" da Silva; filho\r\n2º");
        assert_eq!(first.government_id, "00123456789");
        assert_eq!(first.debt_amount.centavos(), 123_450);
        assert_eq!(first.debt_due_date.to_string(), "2027-01-31");
        let second = &mails[&format!("{id}-2")];
        assert_eq!(second.name, "Conceição");
        assert_eq!(second.government_id, "12ABC34501DE35");
        assert_eq!(second.debt_amount.centavos(), 1);
    }
}

/// All characters of the file are in Latin-1.
fn latin1(text: &str) -> Vec<u8> {
    let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap());
    bytes.collect()
}
