use std::time::Duration;

/// Shares of the calls that fail, and longest pause of a call, in milliseconds.
const FAILING_BEFORE: f64 = 0.03;
const FAILING_PARTWAY: f64 = 0.02;
const FAILING_AFTER: f64 = 0.03;
const LONGEST_PAUSE: u64 = 8;

/// What goes wrong with the calls of a [`MemoryLedger`](super::MemoryLedger): drawn from a seed, so
/// the same calls in the same order fare the same.
///
/// Every call pauses, so that others come in between. Some fail with a transient error: before they
/// have taken effect, after it, or with an effect for the first of their items only.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    random: fastrand::Rng,
}

/// How one call goes.
pub(super) struct PlannedCall {
    /// Each with a pause, and with the number of items that are done after it.
    pub(super) parts: Vec<(Duration, usize)>,
    /// What the caller is told instead of an answer.
    pub(super) failure: Option<&'static str>,
}

impl FaultPlan {
    /// A plan with pauses and failures.
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn next_call(&mut self, items: usize) -> PlannedCall {
        let draw = self.random.f64();
        let partway = self.random.usize(0..=items);
        let (done, failure) = if draw < FAILING_BEFORE {
            (0, Some("failed before it took effect"))
        } else if draw < FAILING_BEFORE + FAILING_PARTWAY {
            (partway, Some("failed partway"))
        } else if draw < FAILING_BEFORE + FAILING_PARTWAY + FAILING_AFTER {
            (items, Some("failed after it took effect"))
        } else {
            (items, None)
        };
        // The last part is the way back: whoever is dropped in it has changed all, and knows nothing.
        let parts = [partway.min(done), done, done].map(|upto| (self.pause(), upto));
        PlannedCall {
            parts: parts.to_vec(),
            failure,
        }
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(0..=LONGEST_PAUSE))
    }
}
