//! What a file would bill, before it is an import: its rows are judged as
//! billing-worker would judge them today.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::time::Duration;

use common::ledger::{Claim, DebtLedger, DebtState};
use common::rules::{BillingDay, BillingRules};
use contract::{Conflict, InvalidReason, Notification, Reason, Terms, read_record};
use futures::{TryStreamExt, pin_mut};
use jiff::civil::Date;

use crate::blocking::blocking;
use crate::import::{Batch, BatchSize, Batches};
use crate::rejections::records_of;
use crate::seen::Seen;
use crate::spool::{Manifest, Spool};

/// How long a preview can become an import, and is kept at least.
pub const PREVIEW_KEPT: Duration = Duration::from_hours(1);

/// Rows that are looked up in one call.
const ROWS_A_CALL: usize = 1_024;
/// Calls that are made, or groups that are read, ahead of the sums.
const CALLS_AHEAD: usize = 2;
/// Problems that are told one by one.
const PROBLEMS: usize = 100;

/// What the rows of a file would become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Rows that would be billed.
    pub valid: u64,
    /// Rows that would be INVALID.
    pub invalid: u64,
    /// Rows whose debt another row of the file would bill.
    pub duplicates: u64,
    /// Those of them that differ from the first row of their debt, and those
    /// that differ from what it was billed with before.
    pub conflicts: u64,
    /// Rows whose debt is billed; `None` where the ledger did not say.
    pub already_billed: Option<u64>,
    /// What would be billed, in centavos.
    pub centavos: u64,
    /// First and last due date of what would be billed.
    pub due: Option<(Date, Date)>,
    /// Rows that would be billed although they were due before today.
    pub past: u64,
    /// The first of the rows that would be INVALID or are in conflict.
    pub problems: Vec<FileProblem>,
}

/// A row that would be INVALID, or is in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// Number of its line, from 1.
    pub line: u64,
    /// Number of the row, from 1.
    pub row: u64,
    /// The column that is wrong, where it is one.
    pub column: Option<&'static str>,
    /// Why.
    pub reason: Reason,
}

impl Preview {
    /// Looks at the file of a preview. `looked_at` is told how many rows have
    /// been, again and again.
    ///
    /// # Errors
    /// When the spool cannot be read. A ledger that cannot be is done without.
    pub async fn of<L: DebtLedger>(
        spool: &Spool,
        manifest: &Manifest,
        rules: &BillingRules,
        ledger: Option<&L>,
        looked_at: impl Fn(u64),
    ) -> io::Result<Self> {
        if let Some(ledger) = ledger {
            let preview = Self::look(spool, manifest, rules, Some(ledger), &looked_at).await?;
            if let Some(preview) = preview {
                return Ok(preview);
            }
        }
        let preview = Self::look::<L>(spool, manifest, rules, None, &looked_at).await?;
        Ok(preview.unwrap_or_default())
    }

    /// `None` as soon as the ledger does not answer: some rows would be judged with
    /// it, and some without.
    async fn look<L: DebtLedger>(
        spool: &Spool,
        manifest: &Manifest,
        rules: &BillingRules,
        ledger: Option<&L>,
        looked_at: &impl Fn(u64),
    ) -> io::Result<Option<Self>> {
        let start = manifest.start();
        let size = BatchSize {
            messages: ROWS_A_CALL,
            rows_per_message: 1,
        };
        let batches = Batches::read(spool.clone(), manifest.clone(), start, size);
        let judge = Judge {
            rules: rules.clone(),
            day: rules.day(),
            secret: RandomState::new(),
        };
        let groups = batches
            .stream()
            .map_ok(|(batch, _)| judge.clone().judge(batch, ledger))
            .try_buffered(CALLS_AHEAD);
        pin_mut!(groups);
        let mut sums = Sums::new(judge.day.date, manifest.rows, ledger.is_some());
        while let Some(group) = groups.try_next().await? {
            let Some(rows) = group else { return Ok(None) };
            sums.add(rows);
            looked_at(sums.rows);
        }
        let mut preview = sums.preview;
        preview.problems = with_lines(spool, manifest, sums.problems).await?;
        Ok(Some(preview))
    }
}

/// What becomes of a row by itself.
enum Judged {
    Invalid(InvalidReason),
    Debt {
        /// What identifies it, hashed: a million texts would not fit, and in one
        /// of ten million files of a million debts two look like one.
        debt: [u32; 2],
        /// What two rows of a debt should have in common, hashed.
        terms: u32,
        billed: Option<Standing>,
        admitted: Result<(), InvalidReason>,
        centavos: u64,
        due: Date,
    },
}

/// What stands of a debt that is billed.
#[derive(Clone, Copy)]
struct Standing {
    /// How the row differs from it.
    conflict: Option<Conflict>,
}

/// Why somebody should look at a row.
#[derive(Clone, Copy)]
enum Trouble {
    Invalid(InvalidReason),
    /// It differs from an earlier row of its debt.
    InFile,
    /// It differs from what its debt was billed with.
    Billed(Conflict),
}

/// Consecutive rows, in their order; `None` where the ledger did not answer.
type Group = Option<Vec<(u64, Judged)>>;

/// What it takes to judge rows.
#[derive(Clone)]
struct Judge {
    rules: BillingRules,
    day: BillingDay,
    /// Of the hashes, so that nobody makes two debts look like one.
    secret: RandomState,
}

impl Judge {
    async fn judge<L: DebtLedger>(self, batch: Batch, ledger: Option<&L>) -> io::Result<Group> {
        let (rows, asked) = blocking(move || Ok(self.read(batch))).await?;
        let Some(ledger) = ledger.filter(|_| !asked.is_empty()) else {
            return Ok(Some(rows));
        };
        let ids: Vec<&str> = asked.iter().map(|asked| &*asked.debt_id).collect();
        match ledger.debts(&ids).await {
            Ok(states) => blocking(move || Ok(Some(compared(rows, &asked, &states)))).await,
            Err(_) => Ok(None),
        }
    }

    /// The rows of a batch, and what those that can be read ask for, in their order.
    fn read(&self, batch: Batch) -> (Vec<(u64, Judged)>, Vec<Notification>) {
        let unsent = batch.invalid.into_iter();
        let mut rows: Vec<(u64, Judged)> = unsent
            .map(|(id, reason)| (id.row, Judged::Invalid(reason)))
            .collect();
        let mut asked = Vec::with_capacity(batch.messages.len());
        for message in batch.messages {
            let Some(id) = message.row else { continue };
            let judged = match read_record(&message.body) {
                Err(reason) => Judged::Invalid(reason),
                Ok(record) => {
                    let admitted = self.rules.admit(&record, &self.day);
                    let bill = Notification::of(record);
                    let debt = Judged::Debt {
                        debt: halves(self.secret.hash_one(&bill.debt_id)),
                        terms: halves(self.secret.hash_one(Terms::of(&bill)))[0],
                        billed: None,
                        admitted,
                        centavos: bill.debt_amount.centavos().unsigned_abs(),
                        due: bill.debt_due_date,
                    };
                    asked.push(bill);
                    debt
                }
            };
            rows.push((id.row, judged));
        }
        rows.sort_unstable_by_key(|(row, _)| *row);
        (rows, asked)
    }
}

/// The rows, with what stands of the debts that they ask for.
fn compared(
    mut rows: Vec<(u64, Judged)>,
    asked: &[Notification],
    states: &[DebtState],
) -> Vec<(u64, Judged)> {
    let debts = rows.iter_mut().filter_map(|(_, judged)| match judged {
        Judged::Debt { billed, .. } => Some(billed),
        Judged::Invalid(_) => None,
    });
    for ((billed, asked), state) in debts.zip(asked).zip(states) {
        if let DebtState::Billed { claim, .. } = state {
            let standing = claim.as_ref().and_then(Claim::billed);
            *billed = Some(Standing {
                conflict: standing.and_then(|standing| Conflict::between(asked, &standing)),
            });
        }
    }
    rows
}

/// What the rows so far come to.
struct Sums {
    preview: Preview,
    rows: u64,
    problems: Vec<(u64, Trouble)>,
    /// The debts that would be billed.
    seen: Seen,
    today: Date,
}

impl Sums {
    fn new(today: Date, rows: u64, has_ledger: bool) -> Self {
        Self {
            preview: Preview {
                already_billed: has_ledger.then_some(0),
                ..Preview::default()
            },
            rows: 0,
            problems: Vec::new(),
            seen: Seen::with_room_for(rows),
            today,
        }
    }

    fn add(&mut self, rows: Vec<(u64, Judged)>) {
        self.rows += rows.len() as u64;
        for (row, judged) in rows {
            self.add_row(row, &judged);
        }
    }

    /// In the order of billing-worker: what is billed is not judged again.
    fn add_row(&mut self, row: u64, judged: &Judged) {
        let preview = &mut self.preview;
        let reason = match judged {
            Judged::Debt {
                billed: Some(standing),
                ..
            } => {
                preview.already_billed = preview.already_billed.map(|billed| billed + 1);
                if let Some(conflict) = standing.conflict {
                    preview.conflicts += 1;
                    self.add_problem(row, Trouble::Billed(conflict));
                }
                return;
            }
            Judged::Debt { debt, terms, .. } if let Some(first) = self.seen.terms(*debt) => {
                preview.duplicates += 1;
                if first != *terms {
                    preview.conflicts += 1;
                    self.add_problem(row, Trouble::InFile);
                }
                return;
            }
            Judged::Invalid(reason)
            | Judged::Debt {
                admitted: Err(reason),
                ..
            } => reason,
            Judged::Debt {
                debt,
                terms,
                centavos,
                due,
                ..
            } => {
                self.seen.add(*debt, *terms);
                preview.valid += 1;
                preview.centavos += centavos;
                let (first, last) = preview.due.unwrap_or((*due, *due));
                preview.due = Some((first.min(*due), last.max(*due)));
                preview.past += u64::from(*due < self.today);
                return;
            }
        };
        preview.invalid += 1;
        self.add_problem(row, Trouble::Invalid(*reason));
    }

    fn add_problem(&mut self, row: u64, trouble: Trouble) {
        if self.problems.len() < PROBLEMS {
            self.problems.push((row, trouble));
        }
    }
}

fn halves(hash: u64) -> [u32; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "the halves")]
    [hash as u32, (hash >> 32) as u32]
}

fn conflict_in_file() -> Reason {
    Reason {
        code: "conflict_in_file".into(),
        text: "an earlier row has the same debt with another amount, due date, document or e-mail; one of the two is billed".into(),
    }
}

/// The problems, with the lines that they are on.
async fn with_lines(
    spool: &Spool,
    manifest: &Manifest,
    problems: Vec<(u64, Trouble)>,
) -> io::Result<Vec<FileProblem>> {
    let mut found = Vec::with_capacity(problems.len());
    if problems.is_empty() {
        return Ok(found);
    }
    let mut records = records_of(spool, manifest).await?;
    for (row, trouble) in problems {
        let line = loop {
            let record;
            (records, record) = blocking(move || {
                let record = records.record(row);
                Ok((records, record))
            })
            .await?;
            match record {
                // The file is what was surveyed, so it has every row.
                Ok(record) => break record.map_or(0, |record| record.line),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    records.file().fetch().await?;
                }
                Err(error) => return Err(error),
            }
        };
        let (column, reason) = match trouble {
            Trouble::Invalid(reason) => (reason.column(), reason.into()),
            Trouble::InFile => (None, conflict_in_file()),
            Trouble::Billed(conflict) => (None, conflict.into()),
        };
        found.push(FileProblem {
            line,
            row,
            column,
            reason,
        });
    }
    Ok(found)
}
