/// The memory that a ledger keeps its data in, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerMemory {
    /// What its data and buffers take.
    pub used: u64,
    /// What it may take; a write beyond it is refused, or the ledger is killed.
    pub max: u64,
}
