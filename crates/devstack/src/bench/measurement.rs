//! What a run measured, as its JSON has it.

use std::path::Path;

use anyhow::{Result, ensure};
use emulators::redis_server::AppendFsync;
use serde::{Deserialize, Serialize};

use super::{findings::Findings, health::Health, json, machine::Machine, meter::ProcessCost};
use crate::{
    ledger_server::{LedgerFacts, LedgerKind},
    spool_server::SpoolKind,
};

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Data rows of the file.
    pub(super) rows: u64,
    /// Seed of the file.
    pub(super) seed: u64,
    /// Rows that importer-api puts into a message.
    pub(super) rows_per_message: u64,
    /// Processes of billing-worker.
    pub(super) billing_workers: usize,
    /// Processes of send-mail-worker.
    pub(super) mail_workers: usize,
    /// How much later each answer of SQS and SNS comes.
    pub(super) latency_ms: u64,
    /// What kept the ledger.
    #[serde(default)]
    pub(super) ledger: LedgerKind,
    /// Where the files of imports were.
    #[serde(default)]
    pub(super) spool: SpoolKind,
    /// Processes of importer-api.
    #[serde(default = "one")]
    pub(super) importers: u16,
    /// When Redis makes its append-only file safe; PostgreSQL does so at each commit.
    #[serde(default = "everysec")]
    pub(super) append_fsync: AppendFsync,
}

/// What every measurement had before there was a choice.
const fn everysec() -> AppendFsync {
    AppendFsync::Everysec
}

/// The same.
const fn one() -> u16 {
    1
}

/// When what was done, in seconds from the start of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the JSON names the unit")]
pub(super) struct Times {
    /// The upload was answered.
    pub(super) accepted_seconds: f64,
    /// The last row was sent, as importer-api recorded it.
    pub(super) sent_seconds: f64,
    /// Every row was seen to have an outcome.
    pub(super) billed_seconds: f64,
    /// Every bill was seen to have its e-mail.
    pub(super) mailed_seconds: f64,
}

/// What one program took from the start of the upload to the last e-mail, in all its processes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// The program.
    pub(super) program: String,
    /// CPU seconds in the program.
    pub(super) user_seconds: f64,
    /// CPU seconds in the kernel.
    pub(super) system_seconds: f64,
    /// CPU seconds of both for 1,000,000 rows of the file.
    pub(super) seconds_per_million_rows: f64,
    /// Most memory of the processes, each from its start on, added up.
    pub(super) peak_memory_bytes: u64,
    /// Each process.
    pub(super) processes: Vec<ProcessCost>,
}

/// What a run measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Measurement {
    /// What was run.
    pub(super) settings: Settings,
    /// The commit, if it is known.
    pub(super) revision: Option<String>,
    /// Whether the programs were built for speed.
    pub(super) release_build: bool,
    /// Where.
    pub(super) machine: Machine,
    /// The server of the ledger, at the end of the run.
    #[serde(alias = "redis")]
    pub(super) ledger: LedgerFacts,
    /// Whether the data of the ledger was on a disk.
    pub(super) on_disk: bool,
    /// When what was done.
    pub(super) times: Times,
    /// Rows of the file by the time to the last e-mail.
    pub(super) rows_per_second: f64,
    /// What each program took. The server of the ledger includes its children. The emulator is the
    /// process of the bench itself: the upload and the probes are in it.
    pub(super) costs: Vec<Cost>,
    /// `/health` of importer-api during the run.
    pub(super) health: Health,
    /// What became of the rows.
    pub(super) audit: Findings,
}

impl Cost {
    /// Adds up what the processes of a program took.
    pub(super) fn of(program: &str, processes: Vec<ProcessCost>, rows: u64) -> Self {
        let sum = |part: fn(&ProcessCost) -> f64| processes.iter().map(part).sum::<f64>();
        let user_seconds = sum(|process| process.user_seconds);
        let system_seconds = sum(|process| process.system_seconds);
        Self {
            program: program.to_owned(),
            user_seconds,
            system_seconds,
            seconds_per_million_rows: (user_seconds + system_seconds) * 1e6 / as_f64(rows),
            peak_memory_bytes: processes.iter().map(|one| one.peak_memory_bytes).sum(),
            processes,
        }
    }
}

impl Measurement {
    /// What is not as it must be, in words.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.audit.problems.clone();
        problems.extend(self.ledger.problem(self.settings.append_fsync));
        if !self.on_disk {
            problems.push("the data of the ledger was in memory instead of on a disk".to_owned());
        }
        problems
    }

    /// What the program took.
    pub(super) fn cost(&self, program: &str) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.program == program)
    }

    /// An error that names what is not as it must be.
    pub(super) fn must_count(&self) -> Result<()> {
        let problems = self.problems().join("; ");
        ensure!(problems.is_empty(), "the run does not count: {problems}");
        Ok(())
    }

    /// Reads one that was written before.
    pub(super) fn read(path: &Path) -> Result<Self> {
        json::read(path)
    }

    /// Writes it for later runs to compare with.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        json::write(path, self)
    }
}

/// Of a count of rows.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, and rows are far fewer"
)]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn measurement() -> Measurement {
        let process = |user_seconds, system_seconds, peak_memory_bytes| ProcessCost {
            user_seconds,
            system_seconds,
            peak_memory_bytes,
        };
        let cost = |program, processes| Cost::of(program, processes, 200_000);
        Measurement {
            settings: Settings {
                rows: 200_000,
                seed: 7,
                rows_per_message: 1,
                billing_workers: 2,
                mail_workers: 1,
                latency_ms: 5,
                ledger: LedgerKind::Redis,
                spool: SpoolKind::Disk,
                importers: 1,
                append_fsync: AppendFsync::Everysec,
            },
            revision: Some("abc1234".into()),
            release_build: true,
            machine: Machine {
                cpu: "Some CPU".into(),
                cores: 2,
                memory_bytes: 24 << 30,
                kernel: "6.1.0".into(),
                load_before: [0.1, 0.2, 0.3],
                load_after: [2.5, 1.0, 0.5],
            },
            ledger: LedgerFacts {
                kind: LedgerKind::Redis,
                version: "7.0.15".into(),
                durability: "appendonly yes, appendfsync everysec".into(),
                bytes: 120_000_000,
            },
            on_disk: true,
            times: Times {
                accepted_seconds: 0.123,
                sent_seconds: 2.0,
                billed_seconds: 7.5,
                mailed_seconds: 8.0,
            },
            rows_per_second: 25_000.0,
            costs: vec![
                cost("importer-api", vec![process(0.6, 0.4, 21_000_000)]),
                cost(
                    "billing-worker",
                    vec![process(1.5, 0.5, 18_000_000), process(1.0, 0.5, 17_500_000)],
                ),
            ],
            health: Health {
                answered: 400,
                failed: 0,
                p50_ms: 0.41,
                p99_ms: 3.2,
                max_ms: 9.87,
            },
            audit: Findings {
                rows: 200_000,
                billed: 197_000,
                skipped: 2_000,
                invalid: 1_000,
                mailed: 197_000,
                ..Findings::default()
            },
        }
    }

    #[test]
    fn the_processes_of_a_program_add_up() {
        let measurement = measurement();
        let billing = measurement.cost("billing-worker").unwrap();

        assert!((billing.user_seconds - 2.5).abs() < 1e-9);
        assert!((billing.system_seconds - 1.0).abs() < 1e-9);
        assert!((billing.seconds_per_million_rows - 17.5).abs() < 1e-9);
        assert_eq!(billing.peak_memory_bytes, 35_500_000);
    }

    #[test]
    fn a_run_is_read_back_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/result.json");

        measurement().write(&path).unwrap();

        assert_eq!(Measurement::read(&path).unwrap(), measurement());
    }

    #[test]
    fn a_stack_that_keeps_nothing_is_a_problem() {
        assert_eq!(measurement().problems(), Vec::<String>::new());
        let off = [
            ("no", "everysec", true),
            ("yes", "no", true),
            ("yes", "always", true),
            ("yes", "everysec", false),
        ];
        for (append_only, append_fsync, on_disk) in off {
            let mut measurement = measurement();
            measurement.ledger.durability =
                format!("appendonly {append_only}, appendfsync {append_fsync}");
            measurement.on_disk = on_disk;

            assert_eq!(measurement.problems().len(), 1, "{append_only} {on_disk}");
        }
    }

    #[test]
    fn the_ledger_must_keep_its_data_as_it_was_told_to() {
        let mut measurement = measurement();
        measurement.settings.append_fsync = AppendFsync::Always;
        assert_eq!(measurement.problems().len(), 1);
        measurement.ledger.durability = "appendonly yes, appendfsync always".into();
        assert_eq!(measurement.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_baseline_of_an_earlier_version_can_be_read() {
        let mut earlier = serde_json::to_value(measurement()).unwrap();
        let settings = earlier["settings"].as_object_mut().unwrap();
        assert_eq!(settings.remove("append_fsync").unwrap(), "everysec");
        assert_eq!(settings.remove("ledger").unwrap(), "redis");
        let earlier_redis = json!({
            "version": "7.0.15",
            "append_only": "yes",
            "append_fsync": "everysec",
            "used_memory_bytes": 120_000_000,
        });
        let ledger = earlier.as_object_mut().unwrap();
        ledger.remove("ledger").unwrap();
        ledger.insert("redis".into(), earlier_redis);
        let audit = earlier["audit"].as_object_mut().unwrap();
        audit.remove("problems").unwrap();
        audit.insert("laws_broken".into(), Vec::<String>::new().into());

        let read: Measurement = serde_json::from_value(earlier).unwrap();

        assert_eq!(read, measurement());
    }
}
