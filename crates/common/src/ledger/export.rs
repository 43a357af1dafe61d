//! What a ledger gives away, for another to take.

use std::time::Duration;

use async_trait::async_trait;
use boleto::Agreement;
use uuid::Uuid;

use super::{AnyLedger, Channel, Claim, KeyedUpload, LedgerError, Outbox, SendEnd};

/// Who billed a debt, as another ledger takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportedClaim {
    /// Nobody.
    Unbilled,
    /// The holder of this claim.
    Billed(Claim),
    /// A counterpart, whose value we cannot read.
    Foreign,
}

/// What became of the message of a debt on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedSend {
    /// The channel.
    pub channel: Channel,
    /// How it ended; `None` where it has not.
    pub end: Option<SendEnd>,
    /// The attempts of which nobody knows whether their message was taken.
    pub unknown: Vec<Uuid>,
}

/// All that a ledger knows of a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedDebt {
    /// The debt.
    pub debt_id: String,
    /// Who billed it.
    pub claim: ExportedClaim,
    /// SNS accepted its notification.
    pub notified: bool,
    /// Its messages.
    pub sends: Vec<ExportedSend>,
}

/// What an idempotency key stands for, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedKey {
    /// The key.
    pub key: String,
    /// What it stands for.
    pub upload: KeyedUpload,
    /// For how long.
    pub left: Duration,
}

/// A part of what a ledger knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Debts; one may come twice.
    pub debts: Vec<ExportedDebt>,
    /// The last number that was given out of each sequence.
    pub sequences: Vec<(String, u64)>,
    /// Agreements.
    pub agreements: Vec<Agreement>,
    /// Idempotency keys.
    pub keys: Vec<ExportedKey>,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

/// A ledger that can be left for another. Of its imports and their rows
/// [`AnyLedger`] tells.
#[async_trait]
pub trait ExportLedger: AnyLedger {
    /// Takes no claim any more, of a debt or of a message, until it is opened
    /// again. What has been claimed may come to its end.
    async fn close(&self) -> Result<(), LedgerError>;

    /// Takes claims again.
    async fn open(&self) -> Result<(), LedgerError>;

    /// Whether a message that was claimed may still be on its way.
    async fn has_sends_in_hand(&self) -> Result<bool, LedgerError>;

    /// A part of what it knows, from 0 on. Something that changes meanwhile
    /// may be missed.
    async fn export(&self, from: u64) -> Result<Exported, LedgerError>;

    /// What it has still to tell webhooks.
    async fn outbox(&self) -> Result<Outbox, LedgerError>;
}
