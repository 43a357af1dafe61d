//! What the steps pass on, and how a row ends.

use std::future::Future;
use std::time::Duration;

use common::ledger::{Bill, Claim, LedgerError};
use common::runtime::{GaveUp, TraceContext};
use contract::{Conflict, DebtRecord, InvalidReason, RowId, RowIdentity};
use prometheus::Histogram;

/// Why the chain gave up on a batch: the process was told to stop while a
/// dependency was away, or the ledger gave an error that waiting does not
/// mend.
pub type StepError = GaveUp<LedgerError>;

/// A row on its way through the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<T> {
    /// Its place in the batch.
    pub index: usize,
    /// Who asks for the debt to be billed.
    pub identity: RowIdentity,
    /// How often its message was received, this time included.
    pub receive_count: u32,
    /// The trace that what is sent for it belongs to.
    pub trace: Option<TraceContext>,
    /// What the steps so far have made of it.
    pub value: T,
}

impl<T> Row<T> {
    /// The same row with another value.
    pub fn with<U>(self, value: U) -> Row<U> {
        Row {
            index: self.index,
            identity: self.identity,
            receive_count: self.receive_count,
            trace: self.trace,
            value,
        }
    }

    /// The row without its value, and the value.
    pub fn take(self) -> (Row<()>, T) {
        let row = Row {
            index: self.index,
            identity: self.identity,
            receive_count: self.receive_count,
            trace: self.trace,
            value: (),
        };
        (row, self.value)
    }

    /// Whether the row holds that claim.
    pub fn holds(&self, claim: &Claim) -> bool {
        claim.holder == self.identity
    }

    /// Whether the row is to finish the work of that claim: its own, or, when
    /// its message comes again, that of another row, whose message may be gone.
    pub fn finishes(&self, claim: &Claim) -> bool {
        self.holds(claim) || self.receive_count > 1
    }
}

/// A row as its message brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The row of an import that it is, by its message's attributes; nobody
    /// has looked whether there is such a row.
    pub row: Option<RowId>,
    /// What is asked for, or why that cannot be billed.
    pub record: Result<DebtRecord, InvalidReason>,
}

/// A debt that is billed, by this row or by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilledDebt {
    /// What identifies the debt.
    pub debt_id: String,
    /// The claim as it is stored.
    pub claim: Claim,
    /// SNS accepted the notification already.
    pub notified: bool,
    /// How the row differs from the claim, where another row holds it.
    pub conflict: Option<Conflict>,
}

impl BilledDebt {
    /// The bill that the claim was made by.
    pub fn bill(&self) -> Bill {
        Bill {
            debt_id: self.debt_id.clone(),
            claim: self.claim.clone(),
        }
    }
}

/// How a row leaves the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowEnd {
    /// It billed its debt, and SNS has the notification.
    Scheduled,
    /// Another row billed its debt, perhaps otherwise than this one asks.
    Skipped(Option<Conflict>),
    /// It cannot be billed.
    Invalid(InvalidReason),
    /// No outcome yet; look again after this time.
    Later(Duration),
    /// No outcome yet, as a dependency did not take this row.
    Failed,
}

/// The ends of the rows of one batch.
#[derive(Clone, Debug)]
pub struct Ended {
    ends: Vec<Option<(RowIdentity, RowEnd)>>,
}

impl Ended {
    /// For a batch of that many rows, none of which has ended.
    pub fn new(rows: usize) -> Self {
        Self {
            ends: vec![None; rows],
        }
    }

    /// Ends a row. The first end of a row stands.
    pub fn end<T>(&mut self, row: &Row<T>, end: RowEnd) {
        if let Some(slot @ None) = self.ends.get_mut(row.index) {
            *slot = Some((row.identity.clone(), end));
        }
    }

    /// The end of each row, in the order of the batch; `None` where the chain
    /// was interrupted before.
    pub fn into_ends(self) -> Vec<Option<(RowIdentity, RowEnd)>> {
        self.ends
    }
}

/// One rule of the chain. It takes the rows of a batch and gives those that
/// go on; each of the others it ends.
pub trait Step: Send + Sync {
    /// What the rows hold before the step.
    type In: Send;
    /// What they hold after it.
    type Out: Send;

    /// Applies the rule. Must be safe to repeat, as a message may come again.
    fn apply(
        &self,
        rows: Vec<Row<Self::In>>,
        ended: &mut Ended,
    ) -> impl Future<Output = Result<Vec<Row<Self::Out>>, StepError>> + Send;

    /// The chain of this step and the next one, which must take what this
    /// one gives.
    fn then<S: Step<In = Self::Out>>(self, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then { first: self, next }
    }

    /// The same step; how long it takes over each batch is observed.
    fn timed(self, duration: Histogram) -> Timed<Self>
    where
        Self: Sized,
    {
        Timed {
            step: self,
            duration,
        }
    }
}

/// A step whose time is observed, one observation a batch.
#[derive(Clone, Debug)]
pub struct Timed<S> {
    step: S,
    duration: Histogram,
}

impl<S: Step> Step for Timed<S> {
    type In = S::In;
    type Out = S::Out;

    async fn apply(
        &self,
        rows: Vec<Row<Self::In>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<Self::Out>>, StepError> {
        let _taken = self.duration.start_timer();
        self.step.apply(rows, ended).await
    }
}

/// Two steps, one after the other.
#[derive(Clone, Debug)]
pub struct Then<A, B> {
    first: A,
    next: B,
}

impl<A: Step, B: Step<In = A::Out>> Step for Then<A, B> {
    type In = A::In;
    type Out = B::Out;

    async fn apply(
        &self,
        rows: Vec<Row<Self::In>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<Self::Out>>, StepError> {
        let rows = self.first.apply(rows, ended).await?;
        self.next.apply(rows, ended).await
    }
}
