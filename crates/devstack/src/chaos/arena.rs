//! Everything that one run needs, started afresh.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use common::ledger::{ImportLedger, OutcomeCounts, RedisLedger};
use fastrand::Rng;
use futures::future::try_join_all;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{
    ChaosError, Options,
    crew::{Crew, Kind},
    failed,
    network::Network,
    post::Post,
    redis::Redis,
};
use crate::import::{connect, upload};
use debts_file::{GenerateOptions, Generated, generate};
use emulators::{
    emulator::{Emulator, PipelineNames, PipelineResources},
    fault_proxy::FaultProxy,
    shared_environment,
};

/// How often it is looked at how far the imports are: every few rows, as thousands pass a second.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Longest wait for the moment of a fault.
const MOMENT_DEADLINE: Duration = Duration::from_mins(2);

/// How many services there are beside the one importer-api, and how fast that sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) billing_workers: usize,
    pub(super) mail_workers: usize,
    pub(super) importer: Pace,
    pub(super) mails: Mails,
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

/// A generated file.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    generated: Generated,
}

/// What must become of all that was uploaded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected {
    /// Data rows of all uploads.
    pub(super) rows: u64,
    /// Distinct debts to bill.
    pub(super) debts: u64,
}

/// Emulator, Redis, the network between, and the services.
#[derive(Debug)]
pub(super) struct Arena {
    // In the order in which they must go.
    pub(super) crew: Crew,
    pub(super) network: Network,
    pub(super) post: Option<Post>,
    pub(super) redis: Redis,
    pub(super) emulator: Emulator,
    pub(super) resources: PipelineResources,
    pub(super) ledger: RedisLedger,
    pub(super) random: Rng,
    pub(super) imports: Vec<Uuid>,
    pub(super) expected: Expected,
    /// How often the way to the mail server was cut.
    pub(super) post_cuts: u64,
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
        plan: Plan,
        options: Options,
    ) -> Result<Self, ChaosError> {
        let directory = cleared(directory)?;
        let emulator = Emulator::start_on_free_port().await?;
        let resources = emulator.create_pipeline(&PipelineNames::default()).await?;
        let redis = Redis::start(directory.join("redis"), options.append_fsync).await?;
        let mut arena = Self {
            crew: Crew::new(directory.join("logs"))?,
            network: Network::start(emulator.port(), redis.port()).await?,
            post: match plan.mails {
                Mails::Log => None,
                Mails::Smtp => Some(Post::open(&directory).await?),
            },
            ledger: connect(redis.port()).await?,
            redis,
            emulator,
            resources,
            random: Rng::with_seed(options.seed),
            imports: Vec::new(),
            expected: Expected::default(),
            post_cuts: 0,
            went_on_after: None,
            directory,
            inputs: 0,
            options,
        };
        for (kind, count) in [
            (Kind::Importer, 1),
            (Kind::Billing, plan.billing_workers),
            (Kind::Mail, plan.mail_workers),
        ] {
            for _ in 0..count {
                let environment = arena.environment(kind, plan.importer);
                arena.crew.hire(kind, environment).await?;
            }
        }
        Ok(arena)
    }

    fn environment(&self, kind: Kind, pace: Pace) -> Vec<(&'static str, String)> {
        let Self {
            network, resources, ..
        } = self;
        let queue = ("SQS_QUEUE_URL", resources.data_process_url.clone());
        let sqs = |proxy: &FaultProxy| ("SQS_ENDPOINT_URL", proxy.url());
        let redis = |proxy: &FaultProxy| ("REDIS_PORT", proxy.address().port().to_string());
        let own = match kind {
            Kind::Importer => {
                let spool = self.directory.join("spool").to_string_lossy().into_owned();
                let mut own = vec![
                    queue,
                    sqs(&network.importer_to_sqs),
                    redis(&network.importer_to_redis),
                    ("SPOOL_DIR", spool),
                ];
                match pace {
                    Pace::Full => {}
                    Pace::RowAMessage => own.push(("ROWS_PER_MESSAGE", "1".to_owned())),
                    Pace::RowByRow => own.extend([
                        ("MAX_CSV_PROCESS_CONCURRENT_TASKS", "1".to_owned()),
                        ("MAX_SQS_SEND_MESSAGE_BATCH_SIZE", "1".to_owned()),
                    ]),
                }
                own
            }
            Kind::Billing => vec![
                queue,
                sqs(&network.billing_to_sqs),
                redis(&network.billing_to_redis),
                ("SNS_ENDPOINT_URL", network.billing_to_sns.url()),
                ("SNS_TOPIC_ARN", resources.topic_arn.clone()),
            ],
            Kind::Mail => {
                let mut own = vec![
                    ("SQS_QUEUE_URL", resources.process_email_url.clone()),
                    sqs(&network.mail_to_sqs),
                    redis(&network.mail_to_redis),
                ];
                own.extend(self.post.iter().flat_map(Post::variables));
                own
            }
        };
        // The later value of a variable counts.
        shared_environment(&self.emulator.endpoint_url(), self.redis.port())
            .into_iter()
            .chain(own)
            .collect()
    }

    /// Generates a file whose debts are in no other.
    pub(super) fn generate(&mut self) -> Result<Input, ChaosError> {
        self.inputs += 1;
        let path = self.directory.join(format!("input-{}.csv", self.inputs));
        let seed = self
            .options
            .seed
            .wrapping_mul(1_000)
            .wrapping_add(self.inputs);
        let options = GenerateOptions::usual(self.options.rows, seed);
        let generated = File::create(&path)
            .and_then(|file| generate(options, file))
            .map_err(failed(format!("cannot write `{}`", path.display())))?;
        self.expected.debts += generated.distinct_valid;
        Ok(Input { path, generated })
    }

    /// Uploads a file by that many clients at once.
    pub(super) async fn upload(&mut self, input: &Input, clients: u64) -> Result<(), ChaosError> {
        let importer = self.crew.url(Kind::Importer);
        let uploads = (0..clients).map(|_| upload(&importer, &input.path));
        self.imports.extend(try_join_all(uploads).await?);
        self.expected.rows += clients * input.generated.rows;
        Ok(())
    }

    /// Random shares of the rows, in their order. The last rows are left out: a killed worker hides
    /// some of them.
    pub(super) fn moments(&mut self, count: usize) -> Vec<f64> {
        let mut shares: Vec<f64> = (0..count).map(|_| 0.05 + 0.8 * self.random.f64()).collect();
        shares.sort_by(f64::total_cmp);
        shares
    }

    /// The counts of all imports together; `None` while Redis is away.
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

    /// Waits for the moment at which that share of the rows has an outcome.
    pub(super) async fn ended(&mut self, share: f64) -> Result<(), ChaosError> {
        self.reached("rows to have an outcome", share, |counts| {
            counts.billed + counts.skipped + counts.invalid
        })
        .await
    }

    /// Waits for the moment at which the e-mails of that share of the rows are sent.
    pub(super) async fn mailed(&mut self, share: f64) -> Result<(), ChaosError> {
        self.reached("e-mails to be sent", share, |counts| counts.mailed)
            .await
    }

    async fn reached(
        &mut self,
        what: &str,
        share: f64,
        figure: impl Fn(&OutcomeCounts) -> u64,
    ) -> Result<(), ChaosError> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of rows"
        )]
        let least = (self.expected.rows as f64 * share) as u64;
        let deadline = Instant::now() + MOMENT_DEADLINE;
        while Instant::now() < deadline {
            self.crew.check()?;
            if self.counts().await.is_some_and(|c| figure(&c) >= least) {
                return Ok(());
            }
            time::sleep(POLL_INTERVAL).await;
        }
        Err(ChaosError::NotReached {
            what: format!("{least} {what}"),
            waited: MOMENT_DEADLINE,
        })
    }
}

/// An empty directory at this path.
fn cleared(directory: &Path) -> Result<PathBuf, ChaosError> {
    let cleared = || {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        directory.canonicalize()
    };
    cleared().map_err(failed(format!("cannot use `{}`", directory.display())))
}
