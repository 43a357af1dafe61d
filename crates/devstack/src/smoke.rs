//! Whether a stack that runs elsewhere works: its ports, an upload, and its monitoring.

mod import;
mod targets;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{self, Instant};

use crate::import::{Comparison, Expected, UploadError, Uploader};

use import::{ImportError, RowCounts};
use targets::{TargetsError, Workers};

/// Longest wait for a port to answer.
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);

/// How often something is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Checks the stack of docker-compose.yml through its ports on this machine: each answers, an upload
/// has the outcome that its file must give, and Prometheus sees every process.
#[derive(Debug, Clone, clap::Args)]
pub struct SmokeCommand {
    /// Where importer-api answers.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    importer_url: String,
    /// One of its `API_TOKENS`, where it asks for one.
    #[arg(long, env = "API_TOKEN", hide_env_values = true)]
    api_token: Option<String>,
    /// The file to upload.
    #[arg(long, default_value = "developer/input.csv")]
    input: PathBuf,
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

/// Why the stack does not work.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// The file to upload.
    #[error("cannot read `{}`: {source}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A port.
    #[error("{name} does not answer at {url}: {answer}; `docker compose ps` shows what runs")]
    NoAnswer {
        /// What should answer.
        name: &'static str,
        /// Where it was asked.
        url: String,
        /// What came instead.
        answer: String,
    },
    /// The upload.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The figures are not what they should be.
    #[error("the figures do not add up; `docker compose logs` shows what the services say")]
    DoesNotAddUp,
    /// Prometheus.
    #[error(transparent)]
    Targets(#[from] TargetsError),
    /// The terminal.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl SmokeCommand {
    /// Checks all of it, and prints what it found.
    pub async fn run(self) -> Result<(), SmokeError> {
        let http = reqwest::Client::new();
        let importer = format!("{}/ready", self.importer_url);
        for (name, url) in [("importer-api", importer.as_str())]
            .into_iter()
            .chain(PORTS)
        {
            answers(&http, name, url).await?;
            writeln!(io::stdout(), "answers: {name:<17} {url}")?;
        }
        let (expected, found) = self.import().await?;
        let figures = found.figures().into_iter().zip(expected.figures());
        let figures = figures.map(|((name, found), (_, expected))| (name, found, expected));
        let comparison = Comparison(figures.collect());
        write!(io::stdout(), "{comparison}")?;
        if !comparison.holds() {
            return Err(SmokeError::DoesNotAddUp);
        }
        let workers = Workers {
            billing: self.billing_workers,
            mail: self.mail_workers,
        };
        let targets = targets::all_up(&http, workers).await?;
        writeln!(
            io::stdout(),
            "\nPrometheus sees {targets} processes, all up."
        )?;
        Ok(())
    }

    /// What must become of the rows of the file, and what became of them.
    async fn import(&self) -> Result<(RowCounts, RowCounts), SmokeError> {
        let input = |source| SmokeError::Input {
            path: self.input.clone(),
            source,
        };
        let (expected, debts) = Expected::of_file(&self.input).map_err(input)?;
        let uploader = Uploader::new(&self.importer_url, self.api_token.as_deref());
        // A stack keeps what it has billed: the same file again is skipped.
        let billed_before = match debts.first() {
            Some(debt) => import::is_billed(&uploader, debt).await?,
            None => false,
        };
        let import_id = uploader.upload(&self.input).await?;
        let found = import::ended(&uploader, import_id).await?;
        Ok((RowCounts::expected(expected, billed_before), found))
    }
}

/// Asks until the answer is a 200.
async fn answers(http: &reqwest::Client, name: &'static str, url: &str) -> Result<(), SmokeError> {
    let deadline = Instant::now() + ANSWER_DEADLINE;
    loop {
        let answer = match http.get(url).timeout(ANSWER_DEADLINE).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(SmokeError::NoAnswer {
                name,
                url: url.to_owned(),
                answer,
            });
        }
        time::sleep(POLL_INTERVAL).await;
    }
}
