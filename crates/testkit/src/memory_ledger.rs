//! A ledger in memory: the plainest one that keeps the laws, and one that fails on demand.

mod agreements;
mod carriage;
mod carrying;
mod channels;
mod erasure;
mod fault_plan;
mod imports;
mod put_off;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use boleto::Agreement;
use common::ledger::{
    AnyLedger, Bill, Billed, Channel, Claim, DebtLedger, DebtState, EndedRow, KeyedUpload,
    LedgerError, LedgerMemory, Outcome, Revision, RowFacts, RowLedger, Told, Unbilled,
};
use common::runtime::{Dependency, Outage};
use contract::RowId;
use tokio::time::Instant;
use uuid::Uuid;

use channels::Message;
pub use fault_plan::FaultPlan;
use imports::Import;
use webhooks::Webhooks;

/// A ledger in memory. Cloning shares it.
///
/// Times are those of tokio's clock, which a test may pause.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
    faults: Option<Arc<Mutex<FaultPlan>>>,
    outage: Outage,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            faults: None,
            outage: Outage::new("memory"),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    agreements: BTreeMap<String, Agreement>,
    claims: BTreeMap<String, Claim>,
    notified: BTreeSet<String>,
    sequences: BTreeMap<String, u64>,
    rows: BTreeMap<RowId, RowFacts>,
    imports: BTreeMap<Uuid, Import>,
    erasing: BTreeSet<Uuid>,
    keys: BTreeMap<String, (KeyedUpload, Instant)>,
    sends: BTreeMap<(Channel, String), Message>,
    unknown_sends: BTreeMap<(Channel, String), BTreeSet<Uuid>>,
    /// Whether the row's message on that channel was sent, or is undeliverable.
    sent_rows: BTreeMap<(Channel, RowId), bool>,
    webhooks: Webhooks,
}

impl MemoryLedger {
    /// The same ledger, with calls that take time and fail as the plan says.
    #[must_use]
    pub fn with_faults(&self, plan: FaultPlan) -> Self {
        Self {
            state: Arc::clone(&self.state),
            faults: Some(Arc::new(Mutex::new(plan))),
            outage: Outage::new("memory"),
        }
    }

    /// All that is known of a row, asked without a call.
    pub fn facts_of(&self, row: RowId) -> RowFacts {
        self.lock().facts(row).clone()
    }

    /// Changes what is known of a row, as only a broken ledger would.
    pub fn forge(&self, row: RowId, change: impl FnOnce(&mut RowFacts)) {
        change(self.lock().facts(row));
    }

    /// A call for one thing.
    async fn call<T>(
        &self,
        mut effect: impl FnMut(&mut State) -> T + Send,
    ) -> Result<T, LedgerError>
    where
        T: Send,
    {
        let mut answers = self.call_each(&[()], |state, ()| effect(state)).await?;
        Ok(answers.remove(0))
    }

    /// A call for each of several things. It is atomic for each of them and not for all: others may
    /// come in between, and a call that fails, or is dropped, may have taken effect for the first
    /// ones only.
    async fn call_each<I, T>(
        &self,
        items: &[I],
        mut effect: impl FnMut(&mut State, &I) -> T + Send,
    ) -> Result<Vec<T>, LedgerError>
    where
        I: Sync,
        T: Send,
    {
        let call = self
            .faults
            .as_ref()
            .map(|plan| lock(plan).next_call(items.len()));
        let Some(call) = call else {
            let mut state = self.lock();
            return Ok(items.iter().map(|item| effect(&mut state, item)).collect());
        };
        let mut answers = Vec::with_capacity(items.len());
        let mut done = 0;
        for (pause, upto) in call.parts {
            tokio::time::sleep(pause).await;
            let mut state = self.lock();
            for item in &items[done..upto] {
                answers.push(effect(&mut state, item));
            }
            done = upto;
        }
        match call.failure {
            Some(failure) => Err(LedgerError::transient(failure)),
            None => Ok(answers),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn facts(&mut self, row: RowId) -> &mut RowFacts {
        self.rows.entry(row).or_insert_with(|| RowFacts {
            row: row.row,
            ..RowFacts::default()
        })
    }
}

fn outcome_of(facts: &mut RowFacts, outcome: Outcome) -> &mut bool {
    match outcome {
        Outcome::Billed => &mut facts.billed,
        Outcome::Skipped => &mut facts.skipped,
        Outcome::Invalid => &mut facts.invalid,
    }
}

impl Dependency for MemoryLedger {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

#[async_trait]
impl AnyLedger for MemoryLedger {
    async fn ping(&self) -> Result<(), LedgerError> {
        self.call(|_| ()).await
    }

    async fn memory(&self) -> Result<Option<LedgerMemory>, LedgerError> {
        Ok(None)
    }
}

#[async_trait]
impl DebtLedger for MemoryLedger {
    async fn debts(&self, debt_ids: &[&str]) -> Result<Vec<DebtState>, LedgerError> {
        let look = |state: &mut State, id: &&str| match state.claims.get(*id) {
            None => DebtState::Unbilled,
            Some(claim) => DebtState::Billed {
                claim: Some(claim.clone()),
                notified: state.notified.contains(*id),
            },
        };
        self.call_each(debt_ids, look).await
    }

    async fn bill(&self, bills: &[Bill]) -> Result<Vec<Billed>, LedgerError> {
        let claim = |state: &mut State, bill: &Bill| {
            let standing = state.claims.entry(bill.debt_id.clone());
            standing.or_insert_with(|| bill.claim.clone()).clone()
        };
        let claims = self.call_each(bills, claim).await?;
        let record = |state: &mut State, claim: &Claim| {
            let row_is_new = claim.holder.row().is_some_and(|row| {
                let facts = state.facts(row);
                let is_new = !facts.has_ended();
                facts.billed |= is_new;
                is_new
            });
            let claim = Some(claim.clone());
            Billed { claim, row_is_new }
        };
        self.call_each(&claims, record).await
    }

    async fn revise(&self, revisions: &[Revision<'_>]) -> Result<Vec<bool>, LedgerError> {
        let revise = |state: &mut State, revision: &Revision<'_>| {
            let standing = state.claims.get_mut(revision.debt_id);
            let standing = standing.filter(|claim| *claim == revision.from);
            standing.is_some_and(|claim| {
                *claim = revision.to.clone();
                true
            })
        };
        self.call_each(revisions, revise).await
    }

    async fn notified(&self, debt_ids: &[&str]) -> Result<Vec<bool>, LedgerError> {
        self.call_each(debt_ids, |state, id| state.notified.contains(*id))
            .await
    }

    async fn tell(&self, told: &[Told<'_>]) -> Result<(), LedgerError> {
        let rows: Vec<RowId> = told.iter().filter_map(|told| told.row).collect();
        self.call_each(&rows, |state, row| state.facts(*row).notified = true)
            .await?;
        let mark = |state: &mut State, told: &Told<'_>| {
            let claim = state.claims.get(told.debt_id);
            if claim.is_none_or(|claim| told.revision >= claim.revision()) {
                state.notified.insert(told.debt_id.to_owned());
            }
        };
        self.call_each(told, mark).await.map(drop)
    }

    async fn forget_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        let forget = |state: &mut State, id: &&str| {
            state.notified.remove(*id);
        };
        self.call_each(debt_ids, forget).await.map(drop)
    }

    async fn reserve_numbers(&self, sequence: &str, count: u64) -> Result<Range<u64>, LedgerError> {
        self.call(|state| {
            let last = state.sequences.entry(sequence.to_owned()).or_default();
            let first = *last + 1;
            *last += count;
            first..*last + 1
        })
        .await
    }
}

#[async_trait]
impl RowLedger for MemoryLedger {
    async fn end_rows(
        &self,
        outcome: Unbilled,
        rows: &[EndedRow],
    ) -> Result<Vec<bool>, LedgerError> {
        let end = |state: &mut State, ended: &EndedRow| {
            let facts = state.facts(ended.row);
            let fresh = !facts.has_ended();
            if fresh {
                *outcome_of(facts, outcome.into()) = true;
                facts.reason = ended.reason.clone().map(Arc::new);
            }
            fresh
        };
        self.call_each(rows, end).await
    }

    async fn row_facts(
        &self,
        import_id: Uuid,
        first: u64,
        count: u64,
    ) -> Result<Vec<RowFacts>, LedgerError> {
        let rows: Vec<RowId> = (first..first + count)
            .map(|row| RowId { import_id, row })
            .collect();
        let look = |state: &mut State, row: &RowId| {
            let nothing = RowFacts {
                row: row.row,
                ..RowFacts::default()
            };
            let mut facts = state.rows.get(row).cloned().unwrap_or(nothing);
            if !facts.billed || facts.is_settled() {
                facts.put_off_until = None;
            }
            if facts.put_off_until.is_none() {
                facts.put_off_why = None;
            }
            facts
        };
        self.call_each(&rows, look).await
    }
}

#[cfg(test)]
mod tests {
    use common::ledger::{Audit, ImportLedger, Law};

    use super::*;

    async fn empty() -> (MemoryLedger, ()) {
        (MemoryLedger::default(), ())
    }

    crate::ledger_conformance!(empty);

    #[tokio::test]
    async fn an_audit_names_a_row_that_a_broken_ledger_holds() {
        type Forgery = fn(&mut RowFacts);
        let laws: [(Law, Forgery); 3] = [
            (Law::EndedOnce, |row| row.invalid = true),
            (Law::NotifiedIsBilled, |row| row.notified = true),
            (Law::MailedIsDelivered, |row| {
                (row.skipped, row.billed, row.notified) = (false, true, true);
                (row.mailed, row.undeliverable) = (true, true);
            }),
        ];
        for (number, (law, forgery)) in (1..).zip(laws) {
            let ledger = MemoryLedger::default();
            let import_id = Uuid::from_u128(number);
            let import = crate::new_import(import_id, 3);
            ledger.register_import(&import).await.unwrap();
            crate::record_sent(&ledger, import_id, 3, None).await;
            let why = contract::Reason {
                code: "code".into(),
                text: "text".into(),
            };
            let rows = (1..=3).map(|row| EndedRow {
                row: RowId { import_id, row },
                reason: Some(why.clone()),
            });
            let rows: Vec<EndedRow> = rows.collect();
            ledger.end_rows(Unbilled::Skipped, &rows).await.unwrap();
            ledger.forge(rows[1].row, forgery);
            let audit = Audit::of(&ledger, import_id).await.unwrap().unwrap();
            let broken: Vec<_> = audit.laws.iter().filter(|law| law.count > 0).collect();
            assert_eq!(broken.len(), 1, "{audit}");
            assert_eq!((broken[0].law, &broken[0].rows[..]), (law, &[2][..]));
            assert!(!audit.holds());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_fails_has_taken_effect_for_none_some_or_all() {
        let ids: Vec<String> = (0..10).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let told = |debt_id| Told {
            debt_id,
            row: None,
            revision: 0,
        };
        let told: Vec<Told<'_>> = ids.iter().copied().map(told).collect();
        let mut marked_at_failure = BTreeSet::new();
        for seed in 0..200 {
            let ledger = MemoryLedger::default();
            let failing = ledger.with_faults(FaultPlan::new(seed));
            let failed = failing.tell(&told).await.is_err();
            let marked = ledger.notified(&ids).await.unwrap();
            let marked = marked.iter().filter(|marked| **marked).count();
            if failed {
                marked_at_failure.insert(marked);
            } else {
                assert_eq!(marked, 10);
            }
        }
        assert!(marked_at_failure.contains(&0));
        assert!(marked_at_failure.contains(&10));
        assert!(marked_at_failure.len() > 2);
    }
}
