//! Messages of claimed debts that vanish from the queue before their notification.

use std::{collections::HashSet, time::Duration};

use anyhow::{Result, ensure};
use common::ledger::{Claim, DebtLedger, DebtState};
use contract::{RowId, RowIdentity, names, read_record};
use emulators::{
    emulator::{Attribute, StoredMessage},
    fault_proxy::FaultMode,
};

use super::arena::Arena;
use crate::{services::Kind, wait::until};

/// Longest wait until all messages are visible: those of a killed worker are hidden for a while.
const ALL_VISIBLE: Duration = Duration::from_mins(1);

/// Share of the rows that are claimed before the worker dies.
const CLAIMED: f64 = 0.005;

/// How often the queue is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Debts that the ledger is asked for at a time.
const CHUNK: usize = 500;

/// SNS away: debts are claimed and cannot be told of. The worker dies, the messages of the rows
/// that hold these claims are deleted, and the file is uploaded again.
pub(super) async fn play(arena: &mut Arena) -> Result<()> {
    let input = arena.generate()?;
    let mut random = arena.random.fork();
    // A worker that starts with a full queue has as much in hand as it can.
    arena.crew.kill(Kind::Billing, &mut random);
    arena.upload(&input, 1).await?;
    all_visible(arena).await?;
    arena.network.billing_to_sns.set(FaultMode::Refuse);
    arena.crew.start_missing().await?;
    arena.reached(Kind::Billing, CLAIMED).await?;
    arena.crew.kill(Kind::Billing, &mut random);
    all_visible(arena).await?;
    delete_holders(arena).await?;
    arena.network.billing_to_sns.set(FaultMode::Pass);
    arena.crew.start_missing().await?;
    arena.upload(&input, 1).await
}

/// Waits until a message of each row can be received, but for those that are INVALID or SKIPPED by
/// now: some are INVALID before they are sent.
async fn all_visible(arena: &Arena) -> Result<()> {
    let queue = &arena.resources.data_process_url;
    let rows = arena.expected.rows;
    let what = format!("{rows} messages to be visible");
    until(what, ALL_VISIBLE, POLL_INTERVAL, async || {
        let visible = arena.emulator.queue_depth(queue).await?.visible;
        let counts = arena.counts().await.unwrap_or_default();
        Ok((visible + counts.invalid + counts.skipped >= rows).then_some(()))
    })
    .await
}

/// Deletes the messages of rows that hold a claim, and leaves the others.
async fn delete_holders(arena: &Arena) -> Result<()> {
    let queue = &arena.resources.data_process_url;
    let messages = arena.emulator.take_all(queue).await?;
    let holders = holders(arena, &messages).await?;
    for message in messages {
        if message.row().is_none_or(|row| !holders.contains(&row)) {
            let attributes = message.attributes.iter().map(|(name, value)| {
                let attribute = match value.parse() {
                    Ok(number) if name == names::ROW => Attribute::Number(number),
                    _ => Attribute::Text(value.clone()),
                };
                (name.as_str(), attribute)
            });
            arena.emulator.send(queue, message.body, attributes).await?;
        }
    }
    Ok(())
}

/// The rows that hold the claim of a debt nobody was told of.
async fn holders(arena: &Arena, messages: &[StoredMessage]) -> Result<HashSet<RowId>> {
    let debt_ids: Vec<String> = messages
        .iter()
        .filter_map(|message| Some(read_record(&message.body).ok()?.debt_id))
        .collect();
    let mut holders = HashSet::new();
    for chunk in debt_ids.chunks(CHUNK) {
        let debt_ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
        for state in arena.ledger.debts(&debt_ids).await? {
            if let DebtState::Billed {
                claim: Some(Claim { holder, .. }),
                notified: false,
            } = state
                && let RowIdentity::Row(row) = holder
            {
                holders.insert(row);
            }
        }
    }
    ensure!(!holders.is_empty(), "no claim without a notification");
    Ok(holders)
}
