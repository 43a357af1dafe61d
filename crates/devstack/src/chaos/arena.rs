//! Everything that one run needs, started afresh.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use common::ledger::{ImportLedger, OutcomeCounts, SharedLedger};
use debts_file::{GenerateOptions, Generated};
use emulators::{
    emulator::{Emulator, PipelineNames, PipelineResources},
    shared_environment,
};
use fastrand::Rng;
use futures::future::try_join_all;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Options, crew::Crew, ledger_host::LedgerHost, network::Network, post::Post};
use crate::{
    generate::write_file,
    import::{Expected, connect, upload},
    ledger_server::LedgerKind,
    services::{Kind, Variable},
    spool_server::{SpoolKind, SpoolServer},
    wait::until,
};

/// How often it is looked at how far the imports are: every few rows, as thousands pass a second.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Longest wait for the moment of a fault.
const MOMENT_DEADLINE: Duration = Duration::from_mins(2);

/// How many services there are, how fast importer-api sends, and what they have to do with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) importers: usize,
    pub(super) spool: SpoolKind,
    pub(super) billing_workers: usize,
    pub(super) mail_workers: usize,
    pub(super) importer: Pace,
    pub(super) mails: Mails,
    /// Whether each master of a cluster has a replica from the start.
    pub(super) with_replicas: bool,
}

/// Where e-mails go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mails {
    /// To the log of send-mail-worker.
    Log,
    /// To a mail server.
    Smtp,
}

/// How fast importer-api sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as it can: a file is in the queue in about a second.
    Full,
    /// The same, with one row a message whatever `ROWS_PER_MESSAGE` says.
    RowAMessage,
    /// Row by row, so that a file takes several of its checkpoints, and work lasts.
    RowByRow,
}

impl Pace {
    fn variables(self) -> Vec<Variable> {
        let one = |name| (name, "1".to_owned());
        match self {
            Self::Full => Vec::new(),
            Self::RowAMessage => vec![one("ROWS_PER_MESSAGE")],
            Self::RowByRow => vec![
                one("MAX_CSV_PROCESS_CONCURRENT_TASKS"),
                one("MAX_SQS_SEND_MESSAGE_BATCH_SIZE"),
            ],
        }
    }
}

/// A generated file.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    generated: Generated,
}

impl Input {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Emulator, ledger, the network between, and the services.
#[derive(Debug)]
pub(super) struct Arena {
    // In the order in which they must go.
    pub(super) crew: Crew,
    pub(super) network: Network,
    pub(super) post: Option<Post>,
    pub(super) ledger_host: LedgerHost,
    pub(super) spool: SpoolServer,
    pub(super) emulator: Emulator,
    pub(super) resources: PipelineResources,
    pub(super) ledger: SharedLedger,
    pub(super) random: Rng,
    pub(super) imports: Vec<Uuid>,
    /// What must become of all that was uploaded.
    pub(super) expected: Expected,
    /// How often the way to the mail server was cut.
    pub(super) post_cuts: u64,
    /// The logs of importers that were killed while others took over what they carried, and when.
    pub(super) lost_carriers: Vec<(PathBuf, Timestamp)>,
    /// From the moment at which a new master could be reached until each service had gone on.
    pub(super) went_on_after: Option<Duration>,
    directory: PathBuf,
    inputs: u64,
    options: Options,
}

impl Arena {
    /// Starts everything in an empty directory, and waits until it answers.
    pub(super) async fn start(
        directory: &Path,
        kind: LedgerKind,
        plan: Plan,
        options: Options,
    ) -> Result<Self> {
        let directory = cleared(directory)?;
        let emulator = Emulator::start_on_free_port().await?;
        let spool = SpoolServer::start(plan.spool, &directory.join("spool")).await?;
        let resources = emulator.create_pipeline(&PipelineNames::default()).await?;
        let mut random = Rng::with_seed(options.seed);
        let ledger = options.ledger(kind, plan.with_replicas);
        let files = directory.join("ledger");
        let ledger_host = LedgerHost::start(ledger, files, random.fork()).await?;
        let mut arena = Self {
            crew: Crew::new(directory.join("logs"))?,
            network: Network::start(emulator.port(), ledger_host.server().port(), spool.port())
                .await?,
            post: match plan.mails {
                Mails::Log => None,
                Mails::Smtp => Some(Post::open(&directory).await?),
            },
            ledger: connect(ledger_host.server()).await?,
            ledger_host,
            spool,
            emulator,
            resources,
            random,
            imports: Vec::new(),
            expected: Expected::default(),
            post_cuts: 0,
            lost_carriers: Vec::new(),
            went_on_after: None,
            directory,
            inputs: 0,
            options,
        };
        for (kind, count) in [
            (Kind::Importer, plan.importers),
            (Kind::Billing, plan.billing_workers),
            (Kind::Mail, plan.mail_workers),
        ] {
            for number in 1..=count {
                let environment = arena.environment(kind, number, plan.importer);
                arena.crew.hire(kind, environment).await?;
            }
        }
        Ok(arena)
    }

    fn environment(&self, kind: Kind, number: usize, pace: Pace) -> Vec<Variable> {
        let network = &self.network;
        let (sqs, ledger) = match kind {
            Kind::Importer => (&network.importer_to_sqs, &network.importer_to_ledger),
            Kind::Billing => (&network.billing_to_sqs, &network.billing_to_ledger),
            Kind::Mail => (&network.mail_to_sqs, &network.mail_to_ledger),
        };
        let mut own = vec![("SQS_ENDPOINT_URL", sqs.url())];
        match kind {
            Kind::Importer => {
                let s3 = network.importer_to_s3.as_ref();
                let s3 = s3.map(|proxy| proxy.address().port());
                own.extend(self.spool.variables(number, s3));
                own.extend(pace.variables());
            }
            Kind::Billing => own.push(("SNS_ENDPOINT_URL", network.billing_to_sns.url())),
            Kind::Mail => own.extend(self.post.iter().flat_map(Post::variables)),
        }
        let ledger_port = ledger.address().port();
        shared_environment(&self.emulator.endpoint_url())
            .into_iter()
            .chain(self.ledger_host.server().variables_through(ledger_port))
            .chain(kind.variables(&self.resources))
            .chain(own)
            .collect()
    }

    /// Generates a file whose debts are in no other.
    pub(super) fn generate(&mut self) -> Result<Input> {
        self.inputs += 1;
        let path = self.directory.join(format!("input-{}.csv", self.inputs));
        let seed = self
            .options
            .seed
            .wrapping_mul(1_000)
            .wrapping_add(self.inputs);
        let generated = write_file(&path, GenerateOptions::usual(self.options.rows, seed))?;
        self.expected.billed += generated.distinct_valid;
        Ok(Input { path, generated })
    }

    /// Uploads a file by that many clients at once, to the importers by turns.
    pub(super) async fn upload(&mut self, input: &Input, clients: u64) -> Result<()> {
        let importers = self.crew.urls(Kind::Importer);
        let turns = importers
            .iter()
            .cycle()
            .skip(self.imports.len() % importers.len());
        let uploads = turns
            .zip(0..clients)
            .map(|(importer, _)| upload(importer, &input.path));
        for import_id in try_join_all(uploads).await? {
            self.expect(input, import_id);
        }
        Ok(())
    }

    /// A file has become an import.
    pub(super) fn expect(&mut self, input: &Input, import_id: Uuid) {
        self.imports.push(import_id);
        let expected = &mut self.expected;
        expected.rows += input.generated.rows;
        expected.invalid += input.generated.invalid;
        expected.skipped = expected.rows - expected.invalid - expected.billed;
    }

    /// Random shares of the rows, in their order. The last rows are left out: a killed worker hides
    /// some of them.
    pub(super) fn moments(&mut self, count: usize) -> Vec<f64> {
        let mut shares: Vec<f64> = (0..count).map(|_| 0.05 + 0.8 * self.random.f64()).collect();
        shares.sort_by(f64::total_cmp);
        shares
    }

    /// The counts of all imports together; `None` while the ledger is away.
    pub(super) async fn counts(&self) -> Option<OutcomeCounts> {
        let mut sum = OutcomeCounts::default();
        for import in &self.imports {
            let counts = self.ledger.outcome_counts(*import).await.ok()?;
            sum.rows += counts.rows;
            sum.billed += counts.billed;
            sum.skipped += counts.skipped;
            sum.invalid += counts.invalid;
            sum.notified += counts.notified;
            sum.mailed += counts.mailed;
        }
        Some(sum)
    }

    /// Generates a file and uploads it by one client.
    pub(super) async fn upload_one(&mut self) -> Result<()> {
        let input = self.generate()?;
        self.upload(&input, 1).await
    }

    /// Waits for the moment at which that share of the rows has an outcome, or for send-mail-worker
    /// its e-mail.
    pub(super) async fn reached(&mut self, kind: Kind, share: f64) -> Result<()> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of rows"
        )]
        let least = (self.expected.rows as f64 * share) as u64;
        let (what, figure): (_, fn(&OutcomeCounts) -> u64) = match kind {
            Kind::Importer | Kind::Billing => ("rows to have an outcome", OutcomeCounts::ended),
            Kind::Mail => ("e-mails to be sent", |counts| counts.mailed),
        };
        let what = format!("{least} {what}");
        until(what, MOMENT_DEADLINE, POLL_INTERVAL, async || {
            self.crew.check()?;
            let counts = self.counts().await;
            Ok(counts.is_some_and(|c| figure(&c) >= least).then_some(()))
        })
        .await
    }
}

/// An empty directory at this path.
fn cleared(directory: &Path) -> Result<PathBuf> {
    let cleared = || {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        directory.canonicalize()
    };
    let cleared: io::Result<_> = cleared();
    cleared.with_context(|| format!("cannot use `{}`", directory.display()))
}
