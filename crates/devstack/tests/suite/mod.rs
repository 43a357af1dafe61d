//! The three services in the test's process, on a stack of their own.

#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "../../../../send-mail-worker/tests/mailroom/memory_transport.rs"]
mod memory_transport;

use std::collections::HashMap;
use std::time::Duration;

use common::ledger::{ImportLedger, OutcomeCounts, SharedLedger};
use common::runtime::{Environment, ServiceError};
use contract::Notification;
use futures::future::join_all;
use memory_transport::MemoryTransport;
use reqwest::multipart::{Form, Part};
use send_mail_worker::patience::Patience;
use send_mail_worker::transport::SmtpTransport;
use send_mail_worker::{MailMetrics, MailTransport};
use serde_json::Value;
use tempfile::TempDir;
use testkit::smtp_server::SmtpServer;
use testkit::{RunningService, Stack, poll_until};
use uuid::Uuid;

/// Longest wait for an import. Longer than a message stays hidden whose receiver is gone.
const LONG: Duration = Duration::from_secs(90);

/// A variable of a service that differs from those of the stack.
pub(crate) type Variable = (&'static str, String);

/// A stack and the services that a test has started on it.
pub(crate) struct Suite {
    pub(crate) stack: Stack,
    pub(crate) ledger: SharedLedger,
    pub(crate) importers: Vec<RunningService>,
    pub(crate) billing_workers: Vec<RunningService>,
    pub(crate) mail_workers: Vec<RunningService>,
    /// What all mail workers have sent.
    pub(crate) mails: MemoryTransport,
    /// The files of the imports.
    pub(crate) spool: TempDir,
}

impl Suite {
    /// One of each service.
    pub(crate) async fn start() -> Self {
        let mut suite = Self::without_services().await;
        suite.start_importer(&[]).await;
        suite.start_billing(&[]).await;
        suite.start_mailing(&[]).await;
        suite
    }

    /// The stack alone.
    pub(crate) async fn without_services() -> Self {
        let stack = Stack::start().await;
        Self {
            ledger: stack.ledger().await,
            stack,
            importers: Vec::new(),
            billing_workers: Vec::new(),
            mail_workers: Vec::new(),
            mails: MemoryTransport::default(),
            spool: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts an importer-api, the only one.
    pub(crate) async fn start_importer(&mut self, variables: &[Variable]) {
        let folder = self.spool.path().to_str().unwrap().to_owned();
        let env = self.environment(
            &self.stack.resources().data_process_url,
            &[variables, &[("SPOOL_DIR", folder)]].concat(),
        );
        let settings = importer_api::Settings::read(&env).unwrap();
        let service = RunningService::start(|l, s| importer_api::run(settings, l, s)).await;
        self.importers.push(service);
    }

    /// Starts a billing-worker.
    pub(crate) async fn start_billing(&mut self, variables: &[Variable]) {
        let env = self.environment(&self.stack.resources().data_process_url, variables);
        let settings = billing_worker::Settings::read(&env).unwrap();
        let service = RunningService::start(|l, s| billing_worker::run(settings, l, s)).await;
        self.billing_workers.push(service);
    }

    /// Starts a send-mail-worker.
    pub(crate) async fn start_mailing(&mut self, variables: &[Variable]) {
        self.start_patient_mailing(variables, Patience::default())
            .await;
    }

    /// The same with that patience.
    pub(crate) async fn start_patient_mailing(
        &mut self,
        variables: &[Variable],
        patience: Patience,
    ) {
        let env = self.environment(&self.stack.resources().process_email_url, variables);
        let settings = send_mail_worker::Settings::read(&env).unwrap();
        let mails = self.mails.clone();
        let service = RunningService::start(|l, s| {
            send_mail_worker::run_over(settings, patience, |_| Ok(mails), l, s)
        })
        .await;
        self.mail_workers.push(service);
    }

    /// Starts a send-mail-worker with that patience that sends over SMTP.
    pub(crate) async fn start_smtp_mailing(&mut self, server: &SmtpServer, patience: Patience) {
        let variables = [
            ("MAIL_TRANSPORT", "smtp".to_owned()),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", server.address().port().to_string()),
            ("SMTP_TLS", "none".to_owned()),
            ("MAIL_FROM", "cobranca@example.org".to_owned()),
        ];
        let env = self.environment(&self.stack.resources().process_email_url, &variables);
        let settings = send_mail_worker::Settings::read(&env).unwrap();
        let MailTransport::Smtp(smtp) = settings.mail.transport.clone() else {
            panic!("it is to be SMTP");
        };
        let service = RunningService::start(|l, s| {
            let stopped = s.clone();
            let transport = move |metrics: &MailMetrics| {
                SmtpTransport::new(*smtp, metrics.duration.clone(), stopped)
                    .map_err(|error| ServiceError::Unsuitable(error.to_string()))
            };
            send_mail_worker::run_over(settings, patience, transport, l, s)
        })
        .await;
        self.mail_workers.push(service);
    }

    fn environment(&self, queue_url: &str, variables: &[Variable]) -> Environment {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.stack.service_environment(queue_url, &variables)
    }

    /// Uploads a file and gives its import.
    pub(crate) async fn upload(&self, file: Vec<u8>) -> Uuid {
        let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
        let url = format!("{}/v1/upload", self.importers[0].url());
        let request = reqwest::Client::new().post(url).multipart(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["import_id"].as_str().unwrap().parse().unwrap()
    }

    /// Looks at a file.
    pub(crate) async fn preview(&self, file: Vec<u8>) -> Value {
        let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
        let url = format!("{}/v1/uploads/preview", self.importers[0].url());
        let request = reqwest::Client::new().post(url).multipart(form);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Makes a preview an import.
    pub(crate) async fn accept(&self, preview_id: &str) {
        let url = format!("{}/v1/upload?preview={preview_id}", self.importers[0].url());
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }

    /// What `POST /v1/imports/{import_id}/<action>` answers.
    pub(crate) async fn ask(&self, import_id: Uuid, action: &str) -> Value {
        let url = format!(
            "{}/v1/imports/{import_id}/{action}",
            self.importers[0].url()
        );
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{action}: {answer:?}");
        answer.json().await.unwrap()
    }

    /// Waits until an import has that state, and gives it.
    pub(crate) async fn in_state(&self, import_id: Uuid, state: &str) -> Value {
        let route = format!("/v1/imports/{import_id}");
        poll_until("the state of the import", LONG, async || {
            let import = self.importers[0].get(&route).await;
            let import: Value = serde_json::from_str(&import).ok()?;
            (import["state"] == state).then_some(import)
        })
        .await
    }

    /// Waits until at least that many rows of an import are billed.
    pub(crate) async fn billed(&self, import_id: Uuid, rows: u64) {
        poll_until("rows to be billed", LONG, async || {
            let counts = self.ledger.outcome_counts(import_id).await.ok()?;
            (counts.billed >= rows).then_some(())
        })
        .await;
    }

    /// Waits until every row of an import has its outcome, and every bill its e-mail.
    pub(crate) async fn completed(&self, import_id: Uuid) -> OutcomeCounts {
        poll_until("the import to be complete", LONG, async || {
            let counts = self.ledger.outcome_counts(import_id).await.ok()?;
            (counts.rows > 0 && counts.is_complete()).then_some(counts)
        })
        .await
    }

    /// The mails by debt; panics if a debt got two.
    pub(crate) fn mails_by_debt(&self) -> HashMap<String, Notification> {
        let mut mails = HashMap::new();
        for mail in self.mails.mails() {
            let twice = mails.insert(mail.debt_id.clone(), mail);
            assert!(twice.is_none(), "two mails: {twice:?}");
        }
        mails
    }

    /// Waits until the queues are empty; no message may have become a dead letter.
    pub(crate) async fn queues_are_empty(&self) {
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

    /// Holds all imports of the suite to the promise: each row has exactly one outcome, each of
    /// the `debts` distinct valid debts one bill and one e-mail, and no message is left.
    pub(crate) async fn nothing_is_lost_and_nothing_twice(&self, imports: &[Uuid], debts: usize) {
        let counts = join_all(imports.iter().map(|id| self.completed(*id))).await;
        self.queues_are_empty().await;
        // Again, after the last message: none may have changed an outcome.
        for (import, before) in imports.iter().zip(&counts) {
            let counts = self.ledger.outcome_counts(*import).await.unwrap();
            let notified = before.billed;
            assert_eq!(
                counts,
                OutcomeCounts {
                    notified,
                    ..*before
                }
            );
        }
        let billed: u64 = counts.iter().map(|counts| counts.billed).sum();
        assert_eq!(billed, debts as u64, "{counts:?}");
        assert_eq!(self.mails_by_debt().len(), debts);
    }
}
