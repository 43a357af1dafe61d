//! One run of the whole stack with its clock.

use std::{
    fs::{self, File},
    path::Path,
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use common::ledger::{ImportLedger, SharedLedger};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    findings::Findings,
    health::HealthProbe,
    machine::{Machine, is_on_disk, load, revision},
    measurement::{Cost, Measurement, Settings, Times, as_f64},
    meter::Meter,
};
use crate::{
    generate::sample,
    import::{connect, finished, upload},
    ledger_server::LedgerOptions,
    mails::Mails,
    services::{Logs, Service},
    spool_server::SpoolOption,
    stack::{DevStack, Ports, StackOptions},
    verdict::Verdict,
    wait::until,
};

/// How often the ledger is asked how far the import is. It counts bits over the whole import, so
/// often would cost.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Longest wait for importer-api to record that all is sent, after the last e-mail.
const SENT_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the stack with a generated file, and looks at what became of each row.
///
/// The file, the logs and, while it runs, the data of the ledger are in that directory.
pub(super) async fn measure(settings: &Settings, directory: &Path) -> Result<Measurement> {
    let mut machine = Machine::now().context("cannot tell what machine this is")?;
    let input = sample(directory, settings.rows, settings.seed)?;
    // Or it would be written to disk while the clock runs.
    let synced = File::open(&input).and_then(|file| file.sync_all());
    synced.context("cannot sync the file")?;
    let logs = directory.join("logs");
    if logs.is_dir() {
        // Those of an earlier run, which may have had more processes.
        fs::remove_dir_all(&logs).with_context(|| format!("cannot remove `{}`", logs.display()))?;
    }
    let mut stack = DevStack::start(StackOptions {
        files: Some(directory.to_owned()),
        ledger: LedgerOptions {
            append_fsync: settings.append_fsync,
            ..LedgerOptions::new(settings.ledger)
        },
        spool: SpoolOption {
            spool: settings.spool,
            importers: settings.importers,
        },
        latency: Duration::from_millis(settings.latency_ms),
        billing_workers: settings.billing_workers,
        mail_workers: settings.mail_workers,
        importer_environment: vec![("ROWS_PER_MESSAGE", settings.rows_per_message.to_string())],
        ..StackOptions::new(
            Ports::free().context("no free port")?,
            Mails::Log,
            Logs::Files(logs.clone()),
        )
    })
    .await?;
    let ledger = connect(stack.ledger_server()).await?;

    let programs = Programs::of(&stack)?;
    let importer = stack.services().first();
    let health = HealthProbe::start(importer.map_or(0, Service::port))?;
    let clock = Clock::start();
    let import_id = upload(&stack.importer_url(), &input).await?;
    let accepted = clock.elapsed();
    let mut billed = None;
    finished(&mut stack, &ledger, import_id, POLL_INTERVAL, |counts| {
        if counts.rows > 0 && counts.pending() == 0 {
            billed.get_or_insert_with(|| clock.elapsed());
        }
    })
    .await
    .with_context(|| format!("the import does not end (logs: `{}`)", logs.display()))?;
    let mailed = clock.elapsed();
    let costs = programs.costs(settings.rows)?;
    let health = health.finish()?;

    machine.load_after = load().context("cannot read the load")?;
    let sent = clock.until(sent_at(&ledger, import_id).await?);
    let facts = stack.ledger_server().facts().await?;
    let on_disk = is_on_disk(stack.files()).context("cannot look at the disk")?;
    Ok(Measurement {
        settings: settings.clone(),
        revision: revision(),
        release_build: !cfg!(debug_assertions),
        machine,
        ledger: facts,
        on_disk,
        times: Times {
            accepted_seconds: accepted.as_secs_f64(),
            sent_seconds: sent.as_secs_f64(),
            billed_seconds: billed.unwrap_or(mailed).as_secs_f64(),
            mailed_seconds: mailed.as_secs_f64(),
        },
        rows_per_second: as_f64(settings.rows) / mailed.as_secs_f64(),
        costs,
        health,
        audit: Findings::from(&Verdict::of_import(stack, &ledger, import_id, &input).await?),
    })
}

/// The start of the upload, by the clock of this process and by that of the ledger's times.
#[derive(Debug, Clone, Copy)]
struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at: Timestamp::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn until(&self, moment: Timestamp) -> Duration {
        let since = moment.duration_since(self.started_at);
        since.try_into().unwrap_or_default()
    }
}

/// A meter for each process of the run, by program.
struct Programs(Vec<(&'static str, Vec<Meter>)>);

impl Programs {
    fn of(stack: &DevStack) -> Result<Self> {
        let mut programs: Vec<(&'static str, Vec<Meter>)> = Vec::new();
        for service in stack.services() {
            let (name, meter) = (service.kind().name(), Meter::of(service.pid())?);
            match programs.last_mut() {
                Some((last, meters)) if *last == name => meters.push(meter),
                _ => programs.push((name, vec![meter])),
            }
        }
        let server = stack.ledger_server();
        let pids = server.pids().into_iter();
        let ledger: Result<Vec<_>> = pids.map(Meter::of_family).collect();
        let emulator = Meter::of(process::id())?;
        programs.extend([
            (server.kind().slug(), ledger?),
            ("emulator", vec![emulator]),
        ]);
        Ok(Self(programs))
    }

    fn costs(&self, rows: u64) -> Result<Vec<Cost>> {
        let costs = self.0.iter().map(|(program, meters)| {
            let processes: Result<Vec<_>> = meters.iter().map(Meter::read).collect();
            Ok(Cost::of(program, processes?, rows))
        });
        costs.collect()
    }
}

/// When the last row was sent. importer-api records it once SQS has taken all, which may be after
/// the last e-mail.
async fn sent_at(ledger: &SharedLedger, import_id: Uuid) -> Result<Timestamp> {
    let what = "importer-api to record that all rows are sent";
    until(what, SENT_DEADLINE, POLL_INTERVAL, async || {
        let status = ledger.import_status(import_id).await?;
        Ok(status.and_then(|status| status.sent_at))
    })
    .await
}
