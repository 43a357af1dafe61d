//! Imports that any importer-api may carry, as their files are on S3: carriers are killed, one
//! stands still and wakes up, S3 is away.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use common::ledger::ImportLedger;
use emulators::fault_proxy::{FaultMode, Resets};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::arena::Arena;
use crate::{import::Importer, services::Kind, wait::until};

/// Processes of importer-api.
pub(super) const IMPORTERS: usize = 3;
/// Answers of SQS take that long while there are faults, so that there is work for as long.
const SLOW: FaultMode = FaultMode::Slow(Duration::from_millis(20));

/// Files that are uploaded at once.
const FILES: u64 = 8;
/// How often each importer is killed.
const KILLS: usize = 5;
/// How long one that was killed stays away: longer than the lease of what it carried, so that
/// others must have taken that over.
const AWAY: Duration = Duration::from_secs(36);
/// Longest time from the kill of a carrier until another one has its imports.
const GOES_ON_WITHIN: Duration = Duration::from_secs(35);
/// How long an importer stands still.
const FROZEN: Duration = Duration::from_mins(1);
const S3_AWAY: Duration = Duration::from_secs(10);
/// Longest wait for what was refused to be taken again.
const TAKEN_AGAIN: Duration = Duration::from_secs(30);
const SENT_WITHIN: Duration = Duration::from_mins(2);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Kills each importer five times, at random, while at least one is left. One that was killed stays
/// away until others must have taken over what it carried.
pub(super) async fn killed(arena: &mut Arena) -> Result<()> {
    arena.network.importer_to_sqs.set(SLOW);
    upload_all(arena).await?;
    let mut left = [KILLS; IMPORTERS];
    let mut away: Vec<(usize, Instant)> = Vec::new();
    let mut next = Instant::now() + Duration::from_secs(3);
    while left.iter().any(|kills| *kills > 0) || !away.is_empty() {
        time::sleep(POLL_INTERVAL).await;
        arena.crew.check()?;
        if let Some(place) = away.iter().position(|(_, until)| *until <= Instant::now()) {
            let (number, _) = away.remove(place);
            arena.crew.start_number(Kind::Importer, number + 1).await?;
        }
        let may_go: Vec<usize> = (0..IMPORTERS)
            .filter(|number| left[*number] > 0 && away.iter().all(|(other, _)| other != number))
            .collect();
        if Instant::now() >= next && away.len() + 1 < IMPORTERS && !may_go.is_empty() {
            let number = may_go[arena.random.usize(..may_go.len())];
            let log = arena.crew.kill_number(Kind::Importer, number + 1);
            arena
                .lost_carriers
                .extend(log.map(|log| (log, Timestamp::now())));
            left[number] -= 1;
            away.push((number, Instant::now() + AWAY));
            next = Instant::now() + Duration::from_millis(arena.random.u64(2_000..15_000));
        }
    }
    arena.network.importer_to_sqs.set(FaultMode::Pass);
    Ok(())
}

/// One importer stands still for a minute, in the middle of what it carries, and goes on.
pub(super) async fn frozen(arena: &mut Arena) -> Result<()> {
    upload_all(arena).await?;
    for share in arena.moments(1) {
        arena.reached(Kind::Billing, share.min(0.1)).await?;
    }
    arena.network.importer_to_sqs.set(SLOW);
    let number = 1 + arena.random.usize(..IMPORTERS);
    if let Some(importer) = arena.crew.number(Kind::Importer, number) {
        importer.pause();
    }
    time::sleep(FROZEN).await;
    if let Some(importer) = arena.crew.number(Kind::Importer, number) {
        importer.resume();
    }
    arena.network.importer_to_sqs.set(FaultMode::Pass);
    Ok(())
}

/// S3 is away while imports are sent, files are uploaded and an import is reconciled, then loses
/// answers. What is refused is asked again, as its client would.
pub(super) async fn s3_down(arena: &mut Arena) -> Result<()> {
    arena.upload_one().await?;
    let first = arena.imports[0];
    until(
        "the first import to be sent",
        SENT_WITHIN,
        POLL_INTERVAL,
        async || {
            let status = arena.ledger.import_status(first).await?;
            Ok(status.and_then(|status| status.sent_at))
        },
    )
    .await?;
    upload_all(arena).await?;
    for share in arena.moments(1) {
        arena.reached(Kind::Billing, share.min(0.1)).await?;
    }
    let modes = [
        FaultMode::Refuse,
        FaultMode::Stall,
        FaultMode::ResetAfterCommit(Resets::of_all(0.3)),
    ];
    for mode in modes {
        let input = arena.generate()?;
        let importers = arena.crew.urls(Kind::Importer);
        // The key makes it one import, whichever answer was lost.
        let uploader = Importer::new(&importers[0], None).with_key(&input.path().to_string_lossy());
        let other = Importer::new(&importers[1], None);
        let s3 = arena.network.importer_to_s3.as_ref();
        let s3 = s3.context("the files are not on S3")?;
        let again = S3_AWAY + TAKEN_AGAIN;
        let sent = until(
            "an upload to be taken again",
            again,
            POLL_INTERVAL,
            async || Ok(uploader.upload(input.path()).await.ok()),
        );
        let reconciled = until(
            "a reconcile to be done again",
            again,
            POLL_INTERVAL,
            async || Ok(other.reconcile(first).await.ok()),
        );
        s3.set(mode);
        let back = async {
            time::sleep(S3_AWAY).await;
            s3.set(FaultMode::Pass);
            Ok(())
        };
        let (import_id, (), ()) = tokio::try_join!(sent, reconciled, back)?;
        arena.expect(&input, import_id);
    }
    Ok(())
}

async fn upload_all(arena: &mut Arena) -> Result<()> {
    for _ in 0..FILES {
        arena.upload_one().await?;
    }
    Ok(())
}

/// What the logs of the importers say of who carried which import.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Import and epoch, who says to carry it, and since when.
    taken: Vec<(Uuid, u64, PathBuf, Timestamp)>,
    /// What was sent to its end, and by whom.
    sent: HashSet<(Uuid, PathBuf)>,
}

impl Carried {
    /// Reads all of these logs.
    pub(super) fn of(logs: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self> {
        let mut carried = Self::default();
        for log in logs {
            let log = log.as_ref();
            let context = || format!("cannot read `{}`", log.display());
            let file = File::open(log).with_context(context)?;
            for line in BufReader::new(file).split(b'\n') {
                // What is no JSON was cut off by a kill.
                if let Ok(line) = serde_json::from_slice(&line.with_context(context)?) {
                    carried.add(log, &line);
                }
            }
        }
        carried.taken.sort_by_key(|(.., at)| *at);
        Ok(carried)
    }

    fn add(&mut self, log: &Path, line: &Value) -> Option<()> {
        let text = |name: &str| line[name].as_str();
        let import_id = text("import_id")?.parse().ok()?;
        match text("message")? {
            "Import is carried" => {
                let at = text("timestamp")?.parse().ok()?;
                let epoch = line["epoch"].as_u64()?;
                self.taken.push((import_id, epoch, log.to_owned(), at));
            }
            "Import sent" => {
                self.sent.insert((import_id, log.to_owned()));
            }
            _ => {}
        }
        Some(())
    }

    /// An error where two have carried an import under the same epoch.
    pub(super) fn each_epoch_has_one_carrier(&self) -> Result<()> {
        let mut epochs = HashSet::new();
        for (import_id, epoch, ..) in &self.taken {
            let is_first = epochs.insert((import_id, epoch));
            ensure!(is_first, "two carried import {import_id} in epoch {epoch}");
        }
        Ok(())
    }

    /// The longest time from the kill of a carrier until another one had what it carried; an error
    /// where that is too long, or nobody has it.
    pub(super) fn taken_over(&self, lost: &[(PathBuf, Timestamp)]) -> Result<Option<Duration>> {
        let mut longest = None;
        for (log, killed_at) in lost {
            let carried = self.taken.iter().filter(|(.., by, _)| by == log);
            for (import_id, epoch, ..) in carried {
                let by_itself = (*import_id, log.clone());
                if self.sent.contains(&by_itself) {
                    continue;
                }
                let later = |(id, later, ..): &&(Uuid, u64, PathBuf, Timestamp)| {
                    id == import_id && later > epoch
                };
                let next = self.taken.iter().find(later);
                let (_, taken, _, at) =
                    next.with_context(|| format!("nobody took {import_id} over"))?;
                // Who had it in between was killed before it could say so.
                let since = if *taken > epoch + 1 {
                    let kills = lost.iter().map(|(_, killed_at)| killed_at);
                    kills.filter(|kill| *kill < at).max().unwrap_or(killed_at)
                } else {
                    killed_at
                };
                let after = at.duration_since(*since).unsigned_abs();
                if at > killed_at {
                    longest = longest.max(Some(after));
                }
            }
        }
        if let Some(after) = longest {
            ensure!(
                after <= GOES_ON_WITHIN,
                "an import was taken over {:.1} s after a kill, at most {} are allowed",
                after.as_secs_f64(),
                GOES_ON_WITHIN.as_secs()
            );
        }
        Ok(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_carried_what_is_read_from_the_logs() {
        let id = Uuid::from_u128;
        let line = |second: u32, import: u128, epoch: u64| {
            format!(
                r#"{{"timestamp":"2026-11-30T10:00:{second:02}Z","message":"Import is carried","import_id":"{}","epoch":{epoch}}}"#,
                id(import)
            )
        };
        let directory = tempfile::tempdir().unwrap();
        let logs = ["a", "b"].map(|name| directory.path().join(name));
        std::fs::write(
            &logs[0],
            [line(1, 1, 1), line(2, 2, 1), "{".to_owned()].join("\n"),
        )
        .unwrap();
        std::fs::write(&logs[1], [line(33, 1, 2), line(37, 2, 2)].join("\n")).unwrap();
        let carried = Carried::of(&logs).unwrap();
        carried.each_epoch_has_one_carrier().unwrap();
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let killed = |time| [(logs[0].clone(), at(time))];
        let longest = carried.taken_over(&killed("2026-11-30T10:00:03Z")).unwrap();
        assert_eq!(longest, Some(Duration::from_secs(34)));
        assert!(carried.taken_over(&killed("2026-11-30T10:00:01Z")).is_err());
        // The carrier of epoch 2 was killed at once.
        let third = [line(50, 1, 3), line(5, 2, 2)].join("\n");
        std::fs::write(&logs[1], third).unwrap();
        let kills = [
            (logs[0].clone(), at("2026-11-30T10:00:03Z")),
            (directory.path().join("c"), at("2026-11-30T10:00:20Z")),
        ];
        let longest = Carried::of(&logs).unwrap().taken_over(&kills).unwrap();
        assert_eq!(longest, Some(Duration::from_secs(30)));
        // Nobody has what the other one carried.
        let other = [(logs[1].clone(), at("2026-11-30T10:00:50Z"))];
        assert!(carried.taken_over(&other).is_err());
        std::fs::write(&logs[1], line(3, 1, 1)).unwrap();
        assert!(
            Carried::of(&logs)
                .unwrap()
                .each_epoch_has_one_carrier()
                .is_err()
        );
    }
}
