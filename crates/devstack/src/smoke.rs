//! Whether a stack that runs elsewhere works: its ports, an upload, and its monitoring.

mod targets;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use common::ledger::OutcomeCounts;
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    import::{Expected, Importer, PATIENCE, is_over},
    verdict::Verdict,
    wait::{until, watch},
};

use targets::Processes;

/// Longest wait for a port to answer.
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);

/// How often something is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Checks the stack of docker-compose.yml through its ports on this machine: each answers, an upload
/// has the outcome that its file must give, and Prometheus sees every process.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SmokeCommand {
    /// Where importer-api answers.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    importer_url: String,
    /// One of its `API_TOKENS`, where it asks for one.
    #[arg(long, env = "API_TOKEN", hide_env_values = true)]
    api_token: Option<String>,
    /// The file to upload.
    #[arg(long, default_value = "developer/input.csv")]
    input: PathBuf,
    /// How many importer-apis there are.
    #[arg(long, default_value_t = 1)]
    importers: usize,
    /// How many billing-workers there are.
    #[arg(long, default_value_t = 1)]
    billing_workers: usize,
    /// How many send-mail-workers there are.
    #[arg(long, default_value_t = 1)]
    mail_workers: usize,
}

/// What answers at the other ports.
const PORTS: [(&str, &str); 6] = [
    ("billing-worker", "http://127.0.0.1:8001/ready"),
    ("send-mail-worker", "http://127.0.0.1:8002/ready"),
    ("LocalStack", "http://127.0.0.1:4566/_localstack/health"),
    ("Mailpit", "http://127.0.0.1:8025/readyz"),
    ("Prometheus", "http://127.0.0.1:9090/-/ready"),
    ("Grafana", "http://127.0.0.1:3000/api/health"),
];

impl SmokeCommand {
    /// Checks all of it, and prints what it found.
    pub(crate) async fn run(self) -> Result<()> {
        let http = crate::http::client();
        let importer = format!("{}/ready", self.importer_url);
        for (name, url) in [("importer-api", importer.as_str())]
            .into_iter()
            .chain(PORTS)
        {
            answers(&http, name, url).await?;
            writeln!(io::stdout(), "answers: {name:<17} {url}")?;
        }
        let verdict = self.import().await?;
        write!(io::stdout(), "{verdict}")?;
        let problems = verdict.problems();
        if !problems.is_empty() {
            let problems = problems.join("; ");
            bail!(
                "the figures do not add up: {problems}; `docker compose logs` shows what the \
                 services say"
            );
        }
        let processes = Processes {
            importers: self.importers,
            billing_workers: self.billing_workers,
            mail_workers: self.mail_workers,
        };
        let targets = targets::all_up(&http, processes).await?;
        writeln!(
            io::stdout(),
            "\nPrometheus sees {targets} processes, all up."
        )?;
        Ok(())
    }

    /// Uploads the file and waits for its end.
    async fn import(&self) -> Result<Verdict> {
        let (mut expected, debts) = Expected::of_file(&self.input)?;
        let importer = Importer::new(&self.importer_url, self.api_token.as_deref());
        // A stack keeps what it has billed: the same file again is skipped.
        if let Some(debt) = debts.first()
            && is_billed(&importer, debt).await?
        {
            expected = expected.billed_before();
        }
        let import_id = importer.upload(&self.input).await?;
        let look = async || counts(&importer, &format!("/v1/imports/{import_id}")).await;
        let watched = watch(POLL_INTERVAL, PATIENCE, look).await?;
        Ok(Verdict {
            expected,
            counts: watched
                .over()
                .with_context(|| format!("import {import_id}"))?,
            ..Verdict::default()
        })
    }
}

/// Asks until the answer is a 200.
async fn answers(http: &reqwest::Client, name: &str, url: &str) -> Result<()> {
    let mut answer = String::new();
    until("a 200", ANSWER_DEADLINE, POLL_INTERVAL, async || {
        match http.get(url).timeout(ANSWER_DEADLINE).send().await {
            Ok(found) if found.status().is_success() => return Ok(Some(())),
            Ok(found) => answer = found.status().to_string(),
            Err(error) => answer = error.to_string(),
        }
        Ok(None)
    })
    .await
    .with_context(|| {
        format!("{name} does not answer at {url}: {answer}; `docker compose ps` shows what runs")
    })
}

/// Whether a debt has a boleto.
async fn is_billed(importer: &Importer, debt: &str) -> Result<bool> {
    let answer = importer.get(&format!("/v1/boletos/{debt}")).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(false);
    }
    answer.error_for_status()?;
    Ok(true)
}

/// The rows of an import by what became of them, and whether it is over.
async fn counts(importer: &Importer, route: &str) -> Result<(OutcomeCounts, bool)> {
    let answer = importer.get(route).send().await?.error_for_status()?;
    let import: Value = answer.json().await?;
    let counts = read(&import)?;
    Ok((counts, import["over"] == true && is_over(&counts)))
}

/// What `GET /v1/imports/{id}` says.
fn read(import: &Value) -> Result<OutcomeCounts> {
    let figure = |name: &str| {
        let figure = import["rows"][name].as_u64();
        figure.with_context(|| format!("importer-api does not say how many rows are {name}"))
    };
    Ok(OutcomeCounts {
        rows: figure("total")?,
        billed: figure("billed")?,
        skipped: figure("skipped")?,
        invalid: figure("invalid")?,
        not_sent: figure("not_sent")?,
        notified: figure("notified")?,
        mailed: figure("mailed")?,
        undeliverable: figure("undeliverable")?,
    })
}
