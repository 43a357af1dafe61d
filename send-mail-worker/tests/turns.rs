//! A mail server may take minutes for an answer, and others wait for their turn meanwhile: nobody
//! else may send the same.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod mailroom;

use std::sync::Arc;
use std::time::Duration;

use common::ledger::{Channel, ChannelLedger, SendClaim};
use common::messaging::{BatchHandler, Delivery, Verdict};
use common::runtime::AppRegistry;
use common::runtime::{Dependency, Outage};
use futures::future::join_all;
use mailroom::{MemoryTransport, notification};
use send_mail_worker::MailMetrics;
use send_mail_worker::pace::Pace;
use send_mail_worker::patience::Patience;
use send_mail_worker::transport::{Letter, Sending, Transport, TransportAway};
use send_mail_worker::worker::Worker;
use testkit::MemoryLedger;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// As many as a worker has in hand.
const MAILS: usize = 32;

/// Takes as long as a mail server may, and looks again and again whether somebody else may send the
/// same.
struct Slow {
    inner: MemoryTransport,
    ledger: MemoryLedger,
}

impl Dependency for Slow {
    fn outage(&self) -> &Outage {
        self.inner.outage()
    }
}

impl Transport for Slow {
    const BATCH: usize = MAILS;

    async fn ready(&self) -> Result<(), TransportAway> {
        Ok(())
    }

    async fn send(&self, letters: &[&Letter]) -> Vec<Sending> {
        let debt_ids: Vec<&str> = letters
            .iter()
            .map(|letter| &*letter.notification.debt_id)
            .collect();
        for _ in 0..60 {
            sleep(Duration::from_secs(10)).await;
            let rival = Uuid::new_v4();
            let claims = self
                .ledger
                .claim_sends(Channel::MAIL, &debt_ids, rival, Duration::ZERO);
            for claim in claims.await.unwrap() {
                assert!(matches!(claim, SendClaim::Leased(_)), "{claim:?}");
            }
        }
        self.inner.send(letters).await
    }
}

fn delivery(debt_id: &str) -> Delivery {
    Delivery {
        id: format!("message of {debt_id}"),
        body: notification(debt_id),
        row: None,
        columns: None,
        receive_count: 1,
        put_off: 0,
        trace: None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_what_is_sent_or_waits_for_its_turn_is_kept() {
    let ledger = MemoryLedger::default();
    let inner = MemoryTransport::default();
    let slow = Slow {
        inner: inner.clone(),
        ledger: ledger.clone(),
    };
    let metrics = MailMetrics::new(&AppRegistry::new("send-mail-worker").unwrap()).unwrap();
    let (pace, stop) = (Pace::new(None), CancellationToken::new());
    let patience = Patience::default();
    let worker = Worker::new(Arc::new(slow), ledger, pace, patience, metrics, stop);

    let batch = |batch: usize| {
        let debts = (0..MAILS).map(|mail| format!("{batch}-{mail}"));
        debts.map(|debt_id| delivery(&debt_id)).collect()
    };
    let batches: Vec<Vec<Delivery>> = (0..5).map(batch).collect();
    let verdicts = join_all(batches.iter().map(|batch| worker.handle(batch))).await;
    let all: Vec<Verdict> = verdicts.concat();
    assert_eq!(all, [Verdict::Done; 5 * MAILS]);
    assert_eq!(inner.mails().len(), 5 * MAILS);
}
