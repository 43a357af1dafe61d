//! What the services take a row, in calibrations.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    bench::{json, measurement::Measurement},
    services::Kind,
};

/// The services that are guarded.
const SERVICES: [&str; 3] = [
    Kind::Importer.name(),
    Kind::Billing.name(),
    Kind::Mail.name(),
];

/// The most that a cost may be, as a multiple of what was recorded.
const MOST: f64 = 1.25;

/// What each service takes for 1,000,000 rows, as a multiple of a calibration's CPU time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Costs {
    /// Rows of the run. What happens once an import weighs more in a smaller one.
    rows: u64,
    /// Calibrations for 1,000,000 rows, by service.
    calibrations_per_million_rows: BTreeMap<String, f64>,
}

impl Costs {
    /// Of a run beside which a calibration took that many CPU seconds.
    pub(super) fn of(run: &Measurement, calibration_seconds: f64) -> Self {
        let services = SERVICES.iter().filter_map(|service| {
            let cost = run.cost(service)?.seconds_per_million_rows / calibration_seconds;
            // More decimals are noise in the recorded file.
            Some(((*service).to_owned(), (cost * 1e3).round() / 1e3))
        });
        Self {
            rows: run.settings.rows,
            calibrations_per_million_rows: services.collect(),
        }
    }

    /// The lower cost of each service.
    pub(super) fn least(self, other: Self) -> Self {
        let mut least = self;
        for (service, cost) in other.calibrations_per_million_rows {
            least
                .calibrations_per_million_rows
                .entry(service)
                .and_modify(|least| *least = least.min(cost))
                .or_insert(cost);
        }
        least
    }

    /// What has risen too far, in words.
    pub(super) fn problems(&self, recorded: &Self) -> Vec<String> {
        if self.rows != recorded.rows {
            let (rows, recorded) = (self.rows, recorded.rows);
            return vec![format!(
                "{rows} rows do not compare with the {recorded} rows that were recorded"
            )];
        }
        let problems = SERVICES.iter().filter_map(|service| {
            match (self.cost(service), recorded.cost(service)) {
                (Some(cost), Some(recorded)) if cost <= recorded * MOST => None,
                (Some(cost), Some(recorded)) => Some(format!(
                    "{service} takes {:.2} times the CPU a row that was recorded",
                    cost / recorded
                )),
                _ => Some(format!("nothing was recorded of {service}")),
            }
        });
        problems.collect()
    }

    /// Both, side by side.
    pub(super) fn table(&self, recorded: &Self) -> String {
        let mut lines = vec![format!(
            "{:<18}{:>10}{:>10}{:>8}",
            "CPU a row", "found", "recorded", "ratio"
        )];
        for service in SERVICES {
            let (found, recorded) = (self.cost(service), recorded.cost(service));
            let (found, recorded) = (found.unwrap_or(f64::NAN), recorded.unwrap_or(f64::NAN));
            let ratio = found / recorded;
            lines.push(format!(
                "{service:<18}{found:>10.2}{recorded:>10.2}{ratio:>8.2}"
            ));
        }
        lines.push(format!("at most{MOST:>39.2}\n"));
        lines.join("\n")
    }

    /// Reads what was recorded.
    pub(super) fn read(path: &Path) -> Result<Self> {
        json::read(path)
    }

    /// Records them.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        json::write(path, self)
    }

    fn cost(&self, service: &str) -> Option<f64> {
        self.calibrations_per_million_rows.get(service).copied()
    }
}

/// On one line.
impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let costs = self.calibrations_per_million_rows.iter();
        let costs: Vec<String> = costs
            .map(|(service, cost)| format!("{service} {cost:.2}"))
            .collect();
        write!(f, "{}", costs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(importer: f64, billing: f64, mail: f64) -> Costs {
        let costs = [importer, billing, mail];
        let services = SERVICES.iter().map(|service| (*service).to_owned());
        Costs {
            rows: 100,
            calibrations_per_million_rows: services.zip(costs).collect(),
        }
    }

    #[test]
    fn a_quarter_more_is_allowed_and_not_a_bit_beyond() {
        let recorded = costs(4.0, 20.0, 8.0);

        assert!(costs(5.0, 25.0, 10.0).problems(&recorded).is_empty());
        assert!(costs(0.5, 0.5, 0.5).problems(&recorded).is_empty());
        assert_eq!(
            costs(5.0, 26.0, 10.0).problems(&recorded),
            ["billing-worker takes 1.30 times the CPU a row that was recorded"]
        );
    }

    #[test]
    fn what_was_not_recorded_does_not_pass() {
        let mut recorded = costs(1.0, 1.0, 1.0);
        recorded
            .calibrations_per_million_rows
            .remove("importer-api");
        assert_eq!(
            costs(1.0, 1.0, 1.0).problems(&recorded),
            ["nothing was recorded of importer-api"]
        );

        let mut recorded = costs(1.0, 1.0, 1.0);
        recorded.rows += 1;
        assert_eq!(costs(1.0, 1.0, 1.0).problems(&recorded).len(), 1);
    }

    #[test]
    fn the_best_of_each_service_counts() {
        let (first, second) = (costs(1.0, 9.0, 5.0), costs(3.0, 7.0, 5.5));

        assert_eq!(first.least(second), costs(1.0, 7.0, 5.0));
    }

    #[test]
    fn a_cost_is_in_calibrations() {
        let run = crate::bench::measurement::tests::measurement();

        let costs = Costs::of(&run, 0.5);

        // 5 and 17.5 CPU seconds for 1,000,000 rows.
        assert_eq!(costs.cost("importer-api"), Some(10.0));
        assert_eq!(costs.cost("billing-worker"), Some(35.0));
        assert_eq!(costs.cost("send-mail-worker"), None);
    }

    #[test]
    fn the_table_is_readable() {
        let table = costs(5.0, 19.25, 6.5).table(&costs(4.0, 20.0, 8.0));

        insta::assert_snapshot!(table);
    }
}
