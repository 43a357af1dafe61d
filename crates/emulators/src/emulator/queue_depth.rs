//! How full a queue is.

/// How many messages a queue holds. Exact here, where AWS approximates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Messages that a receive can return now.
    pub visible: u64,
    /// Messages received and neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages sent with a delay that has not passed.
    pub delayed: u64,
}

impl QueueDepth {
    /// All messages, whatever their state.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }

    /// Whether the queue holds no message in any state.
    pub fn is_empty(self) -> bool {
        self.total() == 0
    }
}
