//! Claim → send → mark, a batch at a time.

use std::collections::HashMap;
use std::time::Duration;

use common::contract::{Notification, ReceivedNotification, RowId};
use common::ledger::{Ledger, LedgerError, MailClaim, Progress, RegisteredImports};
use common::messaging::{BatchHandler, Delivery, Verdict};
use common::outage::{GaveUp, ride_out};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use crate::MailMetrics;
use crate::transport::Transport;

/// How long a claim keeps others from sending the same e-mail. Longer than a
/// transport may take.
const LEASE: Duration = Duration::from_mins(1);
/// How long a received message stays hidden. Longer than the lease: what a
/// process that died had in hand comes back when the claims have ended, so
/// that one receive more is enough.
pub const VISIBILITY_TIMEOUT: Duration = LEASE.saturating_add(Duration::from_secs(5));
/// Longest time a transport may take over a batch.
const TRANSPORT_DEADLINE: Duration = Duration::from_secs(30);
/// Most e-mails in hand, sent and not yet marked: as many as a process that
/// is killed may cause to be sent again.
const IN_HAND: u32 = 32;

/// Sends the e-mails of a batch through a transport.
#[derive(Debug)]
pub struct Worker<T, L> {
    transport: T,
    ledger: L,
    registered: RegisteredImports<L>,
    metrics: MailMetrics,
    stop: CancellationToken,
    in_hand: Semaphore,
}

/// One debt of a batch: its notification, and the places of the messages
/// that carry it.
struct Mail {
    notification: Notification,
    row: Option<RowId>,
    messages: Vec<usize>,
}

type Gave = GaveUp<LedgerError>;

impl<T: Transport, L: Ledger> Worker<T, L> {
    /// A worker that sends through that transport.
    pub fn new(transport: T, ledger: L, metrics: MailMetrics, stop: CancellationToken) -> Self {
        Self {
            transport,
            registered: RegisteredImports::new(ledger.clone()),
            ledger,
            metrics,
            stop,
            in_hand: Semaphore::new(IN_HAND as usize),
        }
    }

    /// Sends what nobody else has sent or is sending; a verdict for each mail.
    async fn send(&self, mails: &[Mail]) -> Result<Vec<Verdict>, Gave> {
        let debt_ids: Vec<&str> = mails.iter().map(Mail::debt_id).collect();
        // Of this handling alone: a claim whose answer was lost is known as
        // one's own, and that of another batch of this process is not.
        let owner = Uuid::new_v4();
        let claims = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.claim_mails(&debt_ids, owner, LEASE)
        })
        .await?;
        let mut verdicts: Vec<Verdict> = claims
            .iter()
            .map(|claim| match claim {
                MailClaim::Sent => Verdict::Done,
                MailClaim::Leased(left) => Verdict::Later(*left),
                MailClaim::Granted => Verdict::Failed,
            })
            .collect();
        let granted: Vec<usize> = (0..mails.len())
            .filter(|index| claims[*index] == MailClaim::Granted)
            .collect();
        for index in self.send_granted(mails, &granted, owner).await? {
            verdicts[index] = Verdict::Done;
        }
        let done = mails.iter().zip(&verdicts);
        let done = done.filter_map(|(mail, v)| (*v == Verdict::Done).then_some(mail.row)?);
        self.record_mailed(done.collect()).await?;
        Ok(verdicts)
    }

    /// Gives the mails that were sent and are marked so.
    async fn send_granted(
        &self,
        mails: &[Mail],
        granted: &[usize],
        owner: Uuid,
    ) -> Result<Vec<usize>, Gave> {
        if granted.is_empty() {
            return Ok(Vec::new());
        }
        let notifications: Vec<_> = granted.iter().map(|i| &mails[*i].notification).collect();
        let sending = self.transport.send(&notifications);
        let Ok(results) = tokio::time::timeout(TRANSPORT_DEADLINE, sending).await else {
            // Nobody knows what was sent: the lease keeps others off for now.
            warn!(
                mails = granted.len(),
                "The transport did not answer in time"
            );
            return Ok(Vec::new());
        };
        let (mut sent, mut unsent) = (Vec::new(), Vec::new());
        for (index, result) in granted.iter().zip(results) {
            match result {
                Ok(()) => sent.push(*index),
                Err(error) => {
                    warn!(debt_id = mails[*index].debt_id(), %error, "E-mail is tried again later");
                    unsent.push(mails[*index].debt_id());
                }
            }
        }
        self.metrics.sent.inc_by(sent.len() as u64);
        // A yes is held until it is marked, even while the process stops.
        let marked: Vec<&str> = sent.iter().map(|index| mails[*index].debt_id()).collect();
        let never = CancellationToken::new();
        ride_out(self.ledger.outage(), &never, || {
            self.ledger.mark_mailed(&marked)
        })
        .await?;
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.release_mails(&unsent, owner)
        })
        .await?;
        Ok(sent)
    }

    async fn record_mailed(&self, rows: Vec<RowId>) -> Result<(), Gave> {
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            if ride_out(self.ledger.outage(), &self.stop, || {
                self.registered.contain(row)
            })
            .await?
            {
                known.push(row);
            }
        }
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.advance_rows(Progress::Mailed, &known)
        })
        .await?;
        Ok(())
    }
}

impl Mail {
    fn debt_id(&self) -> &str {
        &self.notification.debt_id
    }
}

impl<T: Transport, L: Ledger> BatchHandler for Worker<T, L> {
    async fn handle(&self, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        // What is not readable fails until it is a dead letter.
        let mut verdicts = vec![Verdict::Failed; deliveries.len()];
        let mails = read(&deliveries);
        let permits = u32::try_from(mails.len()).unwrap_or(IN_HAND).min(IN_HAND);
        let _in_hand = self.in_hand.acquire_many(permits).await;
        let sent = match self.send(&mails).await {
            Ok(sent) => sent,
            Err(error) => vec![give_up(&error); mails.len()],
        };
        for (mail, verdict) in mails.iter().zip(sent) {
            for index in &mail.messages {
                verdicts[*index] = verdict;
            }
        }
        verdicts
    }
}

/// The debts of a batch, each once.
fn read(deliveries: &[Delivery]) -> Vec<Mail> {
    let mut mails: Vec<Mail> = Vec::with_capacity(deliveries.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(deliveries.len());
    for (index, delivery) in deliveries.iter().enumerate() {
        match ReceivedNotification::read(&delivery.body, delivery.row) {
            Ok(ReceivedNotification { notification, row }) => {
                let debt_id = notification.debt_id.clone();
                let place = *places.entry(debt_id).or_insert(mails.len());
                match mails.get_mut(place) {
                    Some(twin) => twin.messages.push(index),
                    None => mails.push(Mail {
                        notification,
                        row,
                        messages: vec![index],
                    }),
                }
            }
            Err(error) => error!(message_id = delivery.id, %error, "Message cannot be read"),
        }
    }
    mails
}

fn give_up(error: &Gave) -> Verdict {
    match error {
        GaveUp::Interrupted(_) => Verdict::Later(Duration::ZERO),
        GaveUp::Permanent(error) => {
            error!(%error, "The ledger refused a batch");
            Verdict::Failed
        }
    }
}
