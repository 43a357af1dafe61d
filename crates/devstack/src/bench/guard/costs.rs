//! What the services take a row, in instructions.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{bench::json, services::Kind};

/// The most that a cost may be, in hundredths of what was recorded. Runs differ by up to four in a
/// hundred, by how many messages a receive happens to find.
const MOST: u64 = 110;

/// Instructions that each service takes for a row, its start and its end included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Costs {
    /// Rows of the run. What happens once an import weighs more in a smaller one.
    rows: u64,
    /// Instructions for a row, by service.
    instructions_per_row: BTreeMap<String, u64>,
}

impl Costs {
    /// Of a run of that many rows, from all the instructions of each service.
    pub(super) fn of(rows: u64, instructions: impl Fn(Kind) -> Result<u64>) -> Result<Self> {
        let services = Kind::ALL.into_iter().map(|kind| {
            let cost = instructions(kind)? / rows.max(1);
            Ok((kind.name().to_owned(), cost))
        });
        Ok(Self {
            rows,
            instructions_per_row: services.collect::<Result<_>>()?,
        })
    }

    /// What has risen too far, in words.
    pub(super) fn problems(&self, recorded: &Self) -> Vec<String> {
        if self.rows != recorded.rows {
            let (rows, recorded) = (self.rows, recorded.rows);
            return vec![format!(
                "{rows} rows do not compare with the {recorded} rows that were recorded"
            )];
        }
        let problems = Kind::ALL.into_iter().filter_map(|kind| {
            let name = kind.name();
            match (self.cost(kind), recorded.cost(kind)) {
                (Some(cost), Some(recorded)) if cost * 100 <= recorded * MOST => None,
                (Some(cost), Some(recorded)) => Some(format!(
                    "{name} takes {cost} instructions a row, and {recorded} were recorded"
                )),
                _ => Some(format!("nothing was recorded of {name}")),
            }
        });
        problems.collect()
    }

    /// Both, side by side.
    pub(super) fn table(&self, recorded: &Self) -> String {
        let mut lines = vec![format!(
            "{:<18}{:>10}{:>10}{:>10}",
            "instructions a row", "found", "recorded", "at most"
        )];
        for kind in Kind::ALL {
            let (found, recorded) = (self.cost(kind), recorded.cost(kind));
            let shown = |cost: Option<u64>| cost.map_or("-".to_owned(), |cost| cost.to_string());
            let most = recorded.map(|recorded| recorded * MOST / 100);
            lines.push(format!(
                "{:<18}{:>10}{:>10}{:>10}",
                kind.name(),
                shown(found),
                shown(recorded),
                shown(most)
            ));
        }
        lines.push(String::new());
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

    fn cost(&self, kind: Kind) -> Option<u64> {
        self.instructions_per_row.get(kind.name()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(importer: u64, billing: u64, mail: u64) -> Costs {
        let instructions = |kind| match kind {
            Kind::Importer => Ok(100 * importer),
            Kind::Billing => Ok(100 * billing),
            Kind::Mail => Ok(100 * mail),
        };
        Costs::of(100, instructions).unwrap()
    }

    #[test]
    fn a_tenth_more_is_allowed_and_not_a_bit_beyond() {
        let recorded = costs(40_000, 200_000, 80_000);

        assert!(
            costs(44_000, 220_000, 88_000)
                .problems(&recorded)
                .is_empty()
        );
        assert!(costs(5, 5, 5).problems(&recorded).is_empty());
        assert_eq!(
            costs(44_000, 220_001, 88_000).problems(&recorded),
            ["billing-worker takes 220001 instructions a row, and 200000 were recorded"]
        );
    }

    #[test]
    fn what_was_not_recorded_does_not_pass() {
        let mut recorded = costs(1, 1, 1);
        recorded.instructions_per_row.remove("importer-api");
        assert_eq!(
            costs(1, 1, 1).problems(&recorded),
            ["nothing was recorded of importer-api"]
        );

        let mut recorded = costs(1, 1, 1);
        recorded.rows += 1;
        assert_eq!(costs(1, 1, 1).problems(&recorded).len(), 1);
    }

    #[test]
    fn the_table_is_readable() {
        let table = costs(50_000, 192_500, 65_000).table(&costs(40_000, 200_000, 80_000));

        insta::assert_snapshot!(table);
    }
}
