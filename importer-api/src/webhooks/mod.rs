//! Tells another system of imports that came to their end or stand still, and
//! of e-mails that can never be delivered, as
//! [Standard Webhooks](https://www.standardwebhooks.com) has it.
//!
//! The ledger keeps what is to be told: a watcher makes events of what is noted
//! there, and they are delivered by whichever replica takes them.
//! `docs/WEBHOOKS.md` is for those who receive them.

mod answer;
mod delivery;
mod event;
mod metrics;
mod reach;
mod receiver;
mod secrets;
mod settings;
mod watcher;

pub use metrics::WebhookMetrics;
pub use receiver::Receiver;
pub use secrets::UnfitSecret;
pub use settings::{WebhookPace, WebhookSettings};

use common::ledger::SharedLedger;
use tokio_util::sync::CancellationToken;

use self::delivery::Delivery;
use self::watcher::Watcher;
use crate::ImporterMetrics;

/// Watches and delivers until told to stop, or until the receiver says that it
/// is gone for good.
pub async fn tell_webhooks(
    receiver: Receiver,
    ledger: SharedLedger,
    (metrics, webhook_metrics): (ImporterMetrics, WebhookMetrics),
    stop: CancellationToken,
) {
    // The receiver may end both.
    let stop = stop.child_token();
    let watcher = Watcher {
        ledger: ledger.clone(),
        metrics,
        waiting: webhook_metrics.waiting.clone(),
        pace: receiver.pace.clone(),
        stop: stop.clone(),
    };
    let delivery = Delivery::new(receiver, ledger, webhook_metrics, stop);
    tokio::join!(watcher.run(), delivery.run());
}
