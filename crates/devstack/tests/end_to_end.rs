//! The three services together: from an upload to the e-mails.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashMap;
use std::time::Duration;

use common::contract::Notification;
use common::ledger::{ImportLedger, OutcomeCounts, RedisLedger};
use reqwest::multipart::{Form, Part};
use send_mail_worker::transport::MemoryTransport;
use serde_json::Value;
use tempfile::TempDir;
use testkit::{CsvFile, CsvRow, RunningService, Stack, poll_until};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(30);

struct Suite {
    stack: Stack,
    _spool: TempDir,
    ledger: RedisLedger,
    importer: RunningService,
    billing: RunningService,
    mailing: RunningService,
    mails: MemoryTransport,
}

impl Suite {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let spool = tempfile::tempdir().unwrap();
        let folder = [("SPOOL_DIR", spool.path().to_str().unwrap())];
        let data_process = &stack.resources().data_process_url;
        let env = stack.service_environment(data_process, &folder);
        let settings = importer_api::Settings::read(&env).unwrap();
        let importer = RunningService::start(|l, s| importer_api::run(settings, l, s)).await;
        let settings = billing_worker::Settings::read(&env).unwrap();
        let billing = RunningService::start(|l, s| billing_worker::run(settings, l, s)).await;
        let env = stack.service_environment(&stack.resources().process_email_url, &[]);
        let settings = send_mail_worker::Settings::read(&env).unwrap();
        let mails = MemoryTransport::default();
        let transport = mails.clone();
        let mailing =
            RunningService::start(|l, s| send_mail_worker::run(settings, transport, l, s)).await;
        Self {
            ledger: stack.ledger().await,
            stack,
            _spool: spool,
            importer,
            billing,
            mailing,
            mails,
        }
    }

    async fn upload(&self, file: Vec<u8>) -> Uuid {
        let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
        let url = format!("{}/v1/upload", self.importer.url());
        let request = reqwest::Client::new().post(url).multipart(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["import_id"].as_str().unwrap().parse().unwrap()
    }

    async fn completed(&self, import_id: Uuid) -> OutcomeCounts {
        poll_until("the import to be complete", LONG, async || {
            let counts = self.ledger.outcome_counts(import_id).await.unwrap();
            (counts.rows > 0 && counts.is_complete()).then_some(counts)
        })
        .await
    }

    /// The mails by debt; panics if a debt got two.
    fn mails_by_debt(&self) -> HashMap<String, Notification> {
        let mut mails = HashMap::new();
        for mail in self.mails.mails() {
            let twice = mails.insert(mail.debt_id.clone(), mail);
            assert!(twice.is_none(), "two mails: {twice:?}");
        }
        mails
    }

    async fn queues_are_empty(&self) {
        let resources = self.stack.resources();
        for queue in [&resources.data_process_url, &resources.process_email_url] {
            poll_until("the queue to be empty", LONG, async || {
                self.stack.depth(queue).await.is_empty().then_some(())
            })
            .await;
        }
        for queue in [
            &resources.data_process_dlq_url,
            &resources.process_email_dlq_url,
        ] {
            assert!(self.stack.depth(queue).await.is_empty());
        }
    }
}

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
        (&suite.importer, "csv_processor_messages_sent_total", 124),
        (&suite.billing, "billing_processed_successfully_total", 60),
        (&suite.billing, "skipped_messages_total", 60),
        (&suite.billing, "invalid_messages_total", 4),
        (&suite.billing, "notification_sent_total", 60),
        (&suite.mailing, "mails_sent_total", 60),
    ] {
        assert_eq!(service.metric(metric).await, value, "{metric}");
    }
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
