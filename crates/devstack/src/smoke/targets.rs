use std::{collections::BTreeMap, fmt::Write, time::Duration};

use anyhow::{Result, anyhow};
use serde::Deserialize;

use super::POLL_INTERVAL;
use crate::wait::until;

/// Where Prometheus tells what it scrapes.
const TARGETS: &str = "http://127.0.0.1:9090/api/v1/targets?state=active";

/// Longest wait for all to be found and scraped.
const DEADLINE: Duration = Duration::from_mins(2);

/// How many processes of each service there must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Processes {
    pub(super) importers: usize,
    pub(super) billing_workers: usize,
    pub(super) mail_workers: usize,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    active_targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    labels: BTreeMap<String, String>,
    scrape_url: String,
    health: String,
    last_error: String,
}

/// Waits until all are up, and gives how many they are.
pub(super) async fn all_up(http: &reqwest::Client, processes: Processes) -> Result<usize> {
    let mut off = String::new();
    let what = "Prometheus to see every process";
    until(what, DEADLINE, POLL_INTERVAL, async || {
        let answer = http.get(TARGETS).send().await?.error_for_status()?;
        let targets = answer.json::<Answer>().await?.data.active_targets;
        off = wrong(&targets, processes);
        Ok(off.is_empty().then_some(targets.len()))
    })
    .await
    .map_err(|error| anyhow!("{error:#}{off}"))
}

/// What is wrong with them, a line each.
fn wrong(targets: &[Target], processes: Processes) -> String {
    let mut wrong = String::new();
    for (job, expected) in [
        ("importer-api", processes.importers),
        ("billing-worker", processes.billing_workers),
        ("send-mail-worker", processes.mail_workers),
    ] {
        let of_job = |target: &&Target| target.labels.get("job").is_some_and(|name| name == job);
        let found = targets.iter().filter(of_job).count();
        if found != expected {
            let _ = write!(wrong, "\n  {job}: {found} found, {expected} expected");
        }
    }
    for target in targets.iter().filter(|target| target.health != "up") {
        let Target {
            scrape_url,
            health,
            last_error,
            ..
        } = target;
        let _ = write!(wrong, "\n  {scrape_url} is {health} {last_error}");
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(job: &str, health: &str) -> Target {
        Target {
            labels: BTreeMap::from([("job".to_owned(), job.to_owned())]),
            scrape_url: format!("http://{job}/metrics"),
            health: health.to_owned(),
            last_error: "refused".to_owned(),
        }
    }

    #[test]
    fn all_must_be_there_and_up() {
        let processes = Processes {
            importers: 2,
            billing_workers: 2,
            mail_workers: 1,
        };
        let mut targets = vec![
            target("importer-api", "up"),
            target("billing-worker", "up"),
            target("send-mail-worker", "up"),
        ];
        let two_missing = "\n  importer-api: 1 found, 2 expected\
                           \n  billing-worker: 1 found, 2 expected";
        assert_eq!(wrong(&targets, processes), two_missing);
        targets.push(target("importer-api", "up"));
        targets.push(target("billing-worker", "up"));
        assert_eq!(wrong(&targets, processes), "");
        targets.push(target("prometheus", "down"));
        let one_down = "\n  http://prometheus/metrics is down refused";
        assert_eq!(wrong(&targets, processes), one_down);
    }
}
