//! The faults, and when each strikes.

use std::{path::Path, time::Duration};

use anyhow::Result;
use clap::ValueEnum;
use emulators::fault_proxy::{FaultMode, FaultProxy, Resets};
use tokio::time;

use super::{
    Options,
    arena::{Arena, Mails, Pace, Plan},
    carriers, failover, lost_message,
    network::{Network, disturb},
    outcome::Outcome,
    storm,
};
use crate::{
    ledger_server::LedgerKind,
    services::Kind,
    spool_server::{SpoolKind, SpoolOption},
};

/// How often a service is killed during one import.
const KILLS: usize = 5;

const LEDGER_AWAY: Duration = Duration::from_secs(10);
const SQS_AWAY: Duration = Duration::from_secs(10);
const SNS_AWAY: Duration = Duration::from_secs(45);
const MAIL_SERVER_AWAY: Duration = Duration::from_secs(10);

/// Share of the answers that are lost.
const ANSWERS_LOST: f64 = 0.03;

/// Clients that upload the same file at once.
const CLIENTS: u64 = 8;

/// A fault during an import. Its moments are random shares of the rows, and not times, as an
/// import takes only seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// kill -9 importer-api, 5 times.
    ImporterKilled,
    /// kill -9 billing-worker, 5 times.
    BillingKilled,
    /// kill -9 send-mail-worker, 5 times.
    MailKilled,
    /// kill -9 send-mail-worker, 5 times, while it sends over SMTP.
    SmtpMailKilled,
    /// The mail server down 10 s for send-mail-worker.
    SmtpServerDown,
    /// The ledger stopped for 10 s.
    LedgerStopped,
    /// kill -9 the server of the ledger, or a node of its cluster, 5 times.
    LedgerKilled,
    /// The ledger moved to a replica, which can be reached 10 s later.
    LedgerMoved,
    /// The ledger silent on open connections, 10 s before new ones are served.
    LedgerSilent,
    /// Messages of claimed debts deleted before their notification, the file uploaded again.
    MessagesLost,
    /// SQS down 10 s for importer-api.
    ImporterSqsDown,
    /// SQS down 10 s for billing-worker.
    BillingSqsDown,
    /// SQS down 10 s for send-mail-worker.
    MailSqsDown,
    /// SNS alone down 45 s.
    SnsDown,
    /// Answers of SQS, SNS and the ledger lost after the commit, 3 in 100.
    AnswersLost,
    /// All of them at once, at random, for 2 minutes.
    Everything,
    /// The same file by 8 clients at once, 3 billing-workers, 2 send-mail-workers.
    ManyClients,
    /// kill -9 each of 3 importer-apis, 5 times, the files of 8 imports on S3.
    CarriersKilled,
    /// One of 3 importer-apis stopped for a minute, the files of 8 imports on S3.
    CarrierFrozen,
    /// S3 down 10 s, silent 10 s, 3 in 10 of its answers lost for 10 s.
    S3Down,
}

impl Scenario {
    /// Its name on the command line, and of its directory.
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// What it is called in the table: its help text.
    pub(super) fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    /// Plays it in a directory of its own, and looks what became of the rows.
    pub(super) async fn run(
        self,
        directory: &Path,
        ledger: LedgerKind,
        options: Options,
    ) -> Result<Outcome> {
        let mut arena = Arena::start(directory, ledger, self.plan(options), options).await?;
        let started = time::Instant::now();
        self.play(&mut arena).await?;
        Outcome::of(arena, started).await
    }

    fn plan(self, options: Options) -> Plan {
        let (billing_workers, mail_workers) = match self {
            Self::ManyClients => (3, 2),
            _ => (1, 1),
        };
        let importer = match self {
            Self::CarriersKilled
            | Self::CarrierFrozen
            | Self::S3Down
            | Self::ImporterKilled
            | Self::LedgerMoved
            | Self::LedgerSilent
            | Self::ImporterSqsDown
            | Self::Everything => Pace::RowByRow,
            // Messages are deleted by the row that they hold.
            Self::MessagesLost => Pace::RowAMessage,
            _ => Pace::Full,
        };
        let mails = match self {
            Self::SmtpMailKilled | Self::SmtpServerDown => Mails::Smtp,
            _ => Mails::Log,
        };
        let needs_carriers = matches!(
            self,
            Self::CarriersKilled | Self::CarrierFrozen | Self::S3Down
        );
        let (importers, spool) = if needs_carriers {
            (carriers::IMPORTERS, SpoolKind::S3)
        } else {
            let SpoolOption { importers, spool } = options.spool;
            (importers.into(), spool)
        };
        Plan {
            importers,
            spool,
            billing_workers,
            mail_workers,
            importer,
            mails,
            with_replicas: matches!(self, Self::LedgerMoved | Self::LedgerSilent),
        }
    }

    async fn play(self, arena: &mut Arena) -> Result<()> {
        match self {
            Self::ImporterKilled => killed(arena, Kind::Importer).await,
            Self::BillingKilled => killed(arena, Kind::Billing).await,
            Self::MailKilled | Self::SmtpMailKilled => killed(arena, Kind::Mail).await,
            Self::SmtpServerDown => mail_server_down(arena).await,
            Self::LedgerStopped => ledger_stopped(arena).await,
            Self::LedgerKilled => ledger_killed(arena).await,
            Self::LedgerMoved => failover::moved(arena).await,
            Self::LedgerSilent => failover::silent(arena).await,
            Self::MessagesLost => lost_message::play(arena).await,
            Self::ImporterSqsDown => {
                down(arena, Kind::Importer, SQS_AWAY, |network| {
                    &network.importer_to_sqs
                })
                .await
            }
            Self::BillingSqsDown => {
                down(arena, Kind::Billing, SQS_AWAY, |network| {
                    &network.billing_to_sqs
                })
                .await
            }
            Self::MailSqsDown => {
                down(arena, Kind::Mail, SQS_AWAY, |network| &network.mail_to_sqs).await
            }
            Self::SnsDown => {
                down(arena, Kind::Billing, SNS_AWAY, |network| {
                    &network.billing_to_sns
                })
                .await
            }
            Self::AnswersLost => answers_lost(arena).await,
            Self::Everything => storm::play(arena).await,
            Self::ManyClients => {
                let input = arena.generate()?;
                arena.upload(&input, CLIENTS).await
            }
            Self::CarriersKilled => carriers::killed(arena).await,
            Self::CarrierFrozen => carriers::frozen(arena).await,
            Self::S3Down => carriers::s3_down(arena).await,
        }
    }
}

async fn killed(arena: &mut Arena, kind: Kind) -> Result<()> {
    arena.upload_one().await?;
    let mut random = arena.random.fork();
    for share in arena.moments(KILLS) {
        arena.reached(kind, share).await?;
        arena.crew.kill_and_restart(kind, &mut random).await?;
    }
    Ok(())
}

async fn mail_server_down(arena: &mut Arena) -> Result<()> {
    arena.upload_one().await?;
    for share in arena.moments(1) {
        arena.reached(Kind::Mail, share).await?;
    }
    if let Some(post) = &arena.post {
        disturb(&post.way, FaultMode::Refuse, MAIL_SERVER_AWAY).await;
        arena.post_cuts += 1;
    }
    Ok(())
}

async fn ledger_stopped(arena: &mut Arena) -> Result<()> {
    arena.upload_one().await?;
    for share in arena.moments(1) {
        arena.reached(Kind::Billing, share).await?;
        arena.ledger_host.stop().await;
        time::sleep(LEDGER_AWAY).await;
        arena.ledger_host.start_again().await?;
    }
    Ok(())
}

async fn ledger_killed(arena: &mut Arena) -> Result<()> {
    arena.upload_one().await?;
    for share in arena.moments(KILLS) {
        arena.reached(Kind::Billing, share).await?;
        arena.ledger_host.kill();
        arena.ledger_host.start_again().await?;
    }
    Ok(())
}

async fn answers_lost(arena: &mut Arena) -> Result<()> {
    let input = arena.generate()?;
    for proxy in arena.network.all() {
        let resets = Resets::of_all(ANSWERS_LOST);
        proxy.set(FaultMode::ResetAfterCommit(resets));
    }
    arena.upload(&input, 1).await?;
    arena.reached(Kind::Billing, 0.9).await?;
    for proxy in arena.network.all() {
        proxy.set(FaultMode::Pass);
    }
    Ok(())
}

/// What a service of that kind calls on is away for a while.
async fn down(
    arena: &mut Arena,
    kind: Kind,
    time: Duration,
    way: fn(&Network) -> &FaultProxy,
) -> Result<()> {
    arena.upload_one().await?;
    for share in arena.moments(1) {
        arena.reached(kind, share).await?;
    }
    disturb(way(&arena.network), FaultMode::Refuse, time).await;
    Ok(())
}
