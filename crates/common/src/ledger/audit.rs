//! The proof for one import: the laws that its rows must keep.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::{ImportStatus, Ledger, LedgerError, OutcomeCounts, PutOffRows, RowFacts};

/// Rows that are looked at in one call.
const ROWS_A_CALL: u64 = 65_536;
/// Most rows that are named for one law.
const NAMED: usize = 20;

/// What must hold for every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// A row that was sent has an outcome.
    Ended,
    /// It has no more than one.
    EndedOnce,
    /// Only a billed row is notified.
    NotifiedIsBilled,
    /// Only a notified row is mailed or undeliverable.
    MailedIsNotified,
    /// A mailed row is not undeliverable.
    MailedIsDelivered,
    /// A billed row is mailed or undeliverable, or a mail server put its e-mail
    /// off and it is still to be tried again.
    BilledIsMailed,
    /// An invalid or undeliverable row has its reason.
    RejectedHasReason,
    /// No row beyond the file has anything recorded.
    WithinTheFile,
}

impl Law {
    const ALL: [Self; 8] = [
        Self::Ended,
        Self::EndedOnce,
        Self::NotifiedIsBilled,
        Self::MailedIsNotified,
        Self::MailedIsDelivered,
        Self::BilledIsMailed,
        Self::RejectedHasReason,
        Self::WithinTheFile,
    ];

    /// Whether a row that was sent keeps it.
    fn holds(self, row: &RowFacts, now: Timestamp) -> bool {
        let outcomes = [row.billed, row.skipped, row.invalid];
        match self {
            Self::Ended => row.has_ended(),
            Self::EndedOnce => outcomes.iter().filter(|has| **has).count() <= 1,
            Self::NotifiedIsBilled => !row.notified || row.billed,
            Self::MailedIsNotified => !(row.mailed || row.undeliverable) || row.notified,
            Self::MailedIsDelivered => !(row.mailed && row.undeliverable),
            Self::BilledIsMailed => {
                !row.billed || row.mailed || row.undeliverable || row.is_awaited(now)
            }
            Self::RejectedHasReason => !(row.invalid || row.undeliverable) || row.reason.is_some(),
            Self::WithinTheFile => true,
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "every row that was sent has an outcome",
            Self::EndedOnce => "no row has two outcomes",
            Self::NotifiedIsBilled => "only billed rows are notified",
            Self::MailedIsNotified => "only notified rows are mailed or undeliverable",
            Self::MailedIsDelivered => "no row is both mailed and undeliverable",
            Self::BilledIsMailed => "every billed row is mailed or undeliverable, or put off",
            Self::RejectedHasReason => "every invalid or undeliverable row has its reason",
            Self::WithinTheFile => "nothing is recorded for rows beyond the file",
        })
    }
}

/// A law, and the rows that break it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The law.
    pub law: Law,
    /// How many rows break it.
    pub count: u64,
    /// The first of these rows.
    pub rows: Vec<u64>,
}

/// What the ledger proves of one import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The import.
    pub import_id: Uuid,
    /// Its rows by outcome.
    pub counts: OutcomeCounts,
    /// Its rows whose e-mail a mail server put off.
    pub put_off: PutOffRows,
    /// Each law with the rows that break it: none, if the promise was kept.
    pub laws: Vec<Breach>,
}

impl Audit {
    /// Looks at every row of an import; `None` if it is not known.
    pub async fn of<L: Ledger>(ledger: &L, import_id: Uuid) -> Result<Option<Self>, LedgerError> {
        let Some(status) = ledger.import_status(import_id).await? else {
            return Ok(None);
        };
        let mut audit = Self {
            import_id,
            counts: status.counts,
            put_off: status.put_off,
            laws: Law::ALL.map(Breach::none).to_vec(),
        };
        let (rows, now) = (status.import.rows, Timestamp::now());
        // One row beyond the end, where a wrong number would show.
        let mut first = 1;
        while first <= rows + 1 {
            let count = ROWS_A_CALL.min(rows + 2 - first);
            for facts in ledger.row_facts(import_id, first, count).await? {
                audit.look_at(&facts, &status, now);
            }
            first += count;
        }
        Ok(Some(audit))
    }

    /// Whether every law is kept, and the import is at its end.
    pub fn holds(&self) -> bool {
        self.counts.is_complete() && self.is_unbroken()
    }

    /// Whether every law is kept, and the import is not at its end only as a
    /// mail server put e-mails off that are tried again.
    pub fn waits(&self) -> bool {
        !self.counts.is_complete() && self.counts.pending() == 0 && self.is_unbroken()
    }

    fn is_unbroken(&self) -> bool {
        self.laws.iter().all(|breach| breach.count == 0)
    }

    fn look_at(&mut self, row: &RowFacts, status: &ImportStatus, now: Timestamp) {
        let recorded = row.has_ended() || row.notified || row.mailed || row.undeliverable;
        if row.row > status.import.rows {
            if recorded {
                self.breaks(Law::WithinTheFile, row.row);
            }
        } else if recorded || row.row <= status.sent {
            for law in Law::ALL {
                if !law.holds(row, now) {
                    self.breaks(law, row.row);
                }
            }
        }
    }

    fn breaks(&mut self, law: Law, row: u64) {
        if let Some(breach) = self.laws.iter_mut().find(|breach| breach.law == law) {
            breach.count += 1;
            if breach.rows.len() < NAMED {
                breach.rows.push(row);
            }
        }
    }
}

impl Breach {
    fn none(law: Law) -> Self {
        Self {
            law,
            count: 0,
            rows: Vec::new(),
        }
    }
}

/// The proof as people read it.
impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(f, "import {}", self.import_id)?;
        for (name, count) in [
            ("rows", counts.rows),
            ("billed", counts.billed),
            ("skipped", counts.skipped),
            ("invalid", counts.invalid),
            ("not sent", counts.not_sent),
            ("pending", counts.pending()),
            ("notified", counts.notified),
            ("mailed", counts.mailed),
            ("undeliverable", counts.undeliverable),
        ] {
            writeln!(f, "  {name:<14}{count:>12}")?;
        }
        if self.put_off.rows > 0 {
            writeln!(f, "  {:<14}{:>12}", "put off", self.put_off.rows)?;
        }
        for breach in &self.laws {
            if breach.count == 0 {
                writeln!(f, "  holds   {}", breach.law)?;
            } else {
                let rows: Vec<String> = breach.rows.iter().map(u64::to_string).collect();
                let more = if breach.count > breach.rows.len() as u64 {
                    ", …"
                } else {
                    ""
                };
                let rows = rows.join(", ");
                writeln!(
                    f,
                    "  BROKEN  {}: {} rows ({rows}{more})",
                    breach.law, breach.count
                )?;
            }
        }
        if self.waits() {
            let PutOffRows { rows, first, last } = self.put_off;
            let time = |time: Option<Timestamp>| time.map_or("?".to_owned(), |t| t.to_string());
            return writeln!(
                f,
                "no law is broken; {rows} e-mails are put off: the first is tried again at {}, the last at {}",
                time(first),
                time(last)
            );
        }
        let verdict = if self.holds() {
            "every row has exactly one outcome, every bill its e-mail"
        } else {
            "the promise is NOT kept, or the import is not at its end"
        };
        writeln!(f, "{verdict}")
    }
}
