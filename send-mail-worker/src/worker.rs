//! Claim → send → mark, a batch at a time.

use std::sync::Arc;
use std::time::Duration;

use common::ledger::{Agreements, Ledger, LedgerError, SendClaim, SendEnd};
use common::messaging::{BatchHandler, Delivery, Verdict, verdicts_of_messages};
use common::runtime::{GaveUp, Interrupted, Tracer, outage_backoff, ride_out, wait};
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};
use uuid::Uuid;

use crate::MailMetrics;
use crate::batch::{Mail, read};
use crate::judge::{Judge, Tried};
use crate::lease::{LEASE, Lease};
use crate::pace::Pace;
use crate::patience::{OUTCOME_UNKNOWN, Patience};
use crate::row_record::RowRecord;
use crate::sending_span::{sending_span, tell_sent};
use crate::transport::{Sending, Transport};

/// How long a received message stays hidden, unless that is extended. Longer
/// than the lease: what a process that died had in hand comes back when the
/// claims have ended, so that one receive more is enough.
pub const VISIBILITY_TIMEOUT: Duration = LEASE.saturating_add(Duration::from_secs(5));
/// Most e-mails in hand, sent and not yet marked: as many as a process that
/// is killed may cause to be sent again. A transport may ask for fewer.
const IN_HAND: u32 = 32;
/// How often an e-mail is sent of which nobody knows whether it was taken: one
/// that never arrived must not be lost, and one that did not come again and
/// again.
const MOST_UNKNOWN: u32 = 2;

/// Sends the e-mails of a batch through a transport.
#[derive(Debug)]
pub struct Worker<T, L> {
    transport: Arc<T>,
    ledger: L,
    agreements: Agreements<L>,
    pace: Pace,
    judge: Judge,
    record: RowRecord<L>,
    stop: CancellationToken,
    in_hand: Semaphore,
    most_in_hand: u32,
    tracer: Tracer,
}

type Gave = GaveUp<LedgerError>;

impl<T: Transport, L: Ledger> Worker<T, L> {
    /// A worker that sends through that transport, at that pace.
    pub fn new(
        transport: Arc<T>,
        ledger: L,
        pace: Pace,
        patience: Patience,
        metrics: MailMetrics,
        stop: CancellationToken,
    ) -> Self {
        let most_in_hand = transport.at_a_time().unwrap_or(IN_HAND).clamp(1, IN_HAND);
        Self {
            transport,
            agreements: Agreements::new(ledger.clone()),
            judge: Judge { patience, metrics },
            record: RowRecord::new(ledger.clone()),
            ledger,
            pace,
            stop,
            in_hand: Semaphore::new(most_in_hand as usize),
            most_in_hand,
            tracer: Tracer::default(),
        }
    }

    /// The same worker, whose sending has spans.
    #[must_use]
    pub fn traced(mut self, tracer: Tracer) -> Self {
        self.tracer = tracer;
        self
    }

    /// A verdict for each mail of a channel.
    async fn verdicts(&self, mails: &mut [Mail]) -> Vec<Verdict> {
        let mut verdicts = vec![None; mails.len()];
        let ended = self.try_until_there(mails, &mut verdicts).await;
        let left = ended.err().as_ref().map_or(Verdict::Failed, give_up);
        let verdict = |verdict: Option<Verdict>| verdict.unwrap_or(left);
        verdicts.into_iter().map(verdict).collect()
    }

    /// Tries the mails until each has a verdict. Those that wait for a transport
    /// that is away stay in hand meanwhile, unclaimed, so that no lease runs
    /// out and no receive is used up.
    async fn try_until_there(
        &self,
        mails: &mut [Mail],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Gave> {
        self.add_agreements(mails).await?;
        let mut backoff = outage_backoff();
        let mut open: Vec<usize> = (0..mails.len()).collect();
        while !open.is_empty() {
            let tried: Vec<&Mail> = open.iter().map(|index| &mails[*index]).collect();
            for (index, verdict) in open.iter().zip(self.round(&tried).await?) {
                verdicts[*index] = verdict;
            }
            open.retain(|index| verdicts[*index].is_none());
            if !open.is_empty() {
                // One that is refused must not be the only one that is tried.
                open.rotate_left(1);
                // It had said that it was ready: not at once again.
                wait(backoff.next_wait(), &self.stop).await?;
            }
        }
        Ok(())
    }

    /// What the boletos of the e-mails were issued under, so that they can be
    /// printed.
    async fn add_agreements(&self, mails: &mut [Mail]) -> Result<(), Gave> {
        for mail in mails {
            let Some(boleto) = &mail.letter.notification.boleto else {
                continue;
            };
            let issuer = boleto.issuer;
            let agreement = ride_out(self.ledger.outage(), &self.stop, || {
                self.agreements.get(issuer)
            })
            .await?;
            if agreement.is_none() {
                let debt_id = mail.debt_id();
                warn!(debt_id, %issuer, "The ledger lacks the agreement of a boleto: its e-mail has no slip");
            }
            mail.letter.agreement = agreement;
        }
        Ok(())
    }

    /// Sends what nobody else has sent or is sending; a verdict for each mail,
    /// and none for one that is to be tried again.
    async fn round(&self, mails: &[&Mail]) -> Result<Vec<Option<Verdict>>, Gave> {
        // Before the claims, whose leases do not wait.
        let count = u32::try_from(mails.len()).unwrap_or(u32::MAX);
        self.pace.take(count, &self.stop).await?;
        ride_out(self.transport.outage(), &self.stop, || {
            self.transport.ready()
        })
        .await
        .map_err(|_| Interrupted)?;

        let Some(channel) = mails.first().map(|mail| mail.channel()) else {
            return Ok(Vec::new());
        };
        let debt_ids: Vec<&str> = mails.iter().map(|mail| mail.debt_id()).collect();
        // Of this round alone: a claim whose answer was lost is known as one's
        // own, and that of another batch of this process is not.
        let owner = Uuid::new_v4();
        let lease = Lease::new(channel, owner, Instant::now());
        let claims = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.claim_sends(channel, &debt_ids, owner, LEASE)
        })
        .await?;
        let granted: Vec<&Mail> = mails
            .iter()
            .zip(&claims)
            .filter(|(_, claim)| **claim == SendClaim::Granted)
            .map(|(mail, _)| *mail)
            .collect();
        let span = sending_span(&self.tracer, self.transport.outage().name(), granted.len());
        let sent = span.around(self.send_in_turn(&granted, &lease)).await;
        let sent = sent.inspect(|sent| tell_sent(&span, sent));
        drop(span);
        let mut sent = sent?.into_iter();
        let mut tried = Vec::with_capacity(mails.len());
        let mut ended_before = Vec::new();
        for (mail, claim) in mails.iter().zip(claims) {
            tried.push(match claim {
                SendClaim::Ended(SendEnd::Superseded) => Tried::Superseded,
                SendClaim::Ended(end) => {
                    ended_before.push((*mail, end.clone()));
                    Tried::Ended(end)
                }
                SendClaim::Leased(left) => Tried::Again(Verdict::Later(left)),
                SendClaim::Granted => sent.next().unwrap_or(Tried::Again(Verdict::Failed)),
            });
        }
        // Whoever ended it may have died before it told of the row.
        self.record.end(channel, &ended_before, &self.stop).await?;
        self.record.put_off(mails, &tried, &self.stop).await?;
        let verdict = |tried| match tried {
            Tried::Ended(_) | Tried::Superseded => Some(Verdict::Done),
            Tried::Again(verdict) => Some(verdict),
            Tried::PutOff(wait, _) => Some(Verdict::PutOff(wait)),
            Tried::Held => None,
        };
        Ok(tried.into_iter().map(verdict).collect())
    }

    /// Sends mails that were claimed, as many at a time as there is room for in
    /// hand: all as one, or each on its own, so that one that takes long keeps
    /// no other from being marked. Their lease is kept meanwhile.
    async fn send_in_turn(&self, mails: &[&Mail], lease: &Lease) -> Result<Vec<Tried>, Gave> {
        let together = match self.transport.at_a_time() {
            Some(_) => 1,
            None => mails.len().max(1),
        };
        let sending = mails.chunks(together);
        let sending = join_all(sending.map(|mails| self.send_when_there_is_room(mails, lease)));
        let tried = tokio::select! {
            biased;
            tried = sending => tried,
            never = lease.keep(&self.ledger) => match never {},
        };
        let tried: Vec<_> = tried.into_iter().collect::<Result<_, _>>()?;
        Ok(tried.into_iter().flatten().collect())
    }

    /// Waits for room in hand, and sends. Where the process stops, or the lease
    /// could not be renewed, the claims are given back and nothing is sent.
    async fn send_when_there_is_room(
        &self,
        mails: &[&Mail],
        lease: &Lease,
    ) -> Result<Vec<Tried>, Gave> {
        let count = u32::try_from(mails.len()).unwrap_or(u32::MAX);
        let room = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            room = self.in_hand.acquire_many(count.min(self.most_in_hand)) => room.ok(),
        };
        if room.is_none() || !lease.is_fresh() {
            let debt_ids: Vec<&str> = mails.iter().map(|mail| mail.debt_id()).collect();
            self.release(&debt_ids, lease).await?;
            return Ok(mails.iter().map(|_| Tried::Held).collect());
        }
        self.send(mails, lease).await
    }

    /// Sends mails whose claims are the owner's, and makes what became of them
    /// stand: those that have ended are marked, of the others the claims are
    /// given back.
    async fn send(&self, mails: &[&Mail], lease: &Lease) -> Result<Vec<Tried>, Gave> {
        let letters: Vec<_> = mails.iter().map(|mail| &mail.letter).collect();
        let mut answers = self.transport.send(&letters).await;
        self.end_unknown(mails, &mut answers, lease).await?;
        let away = answers.iter().find_map(|answer| match answer {
            Sending::Away(reason) | Sending::Probed(reason) => Some(reason),
            _ => None,
        });
        if let Some(reason) = away {
            debug!(reason, "The transport went away, its e-mails are held");
        }
        let answers = mails.iter().zip(answers);
        let mut tried: Vec<Tried> = answers
            .map(|(mail, answer)| self.judge.judge(mail, answer))
            .collect();

        let (mut ends, mut open) = (Vec::new(), Vec::new());
        for (mail, tried) in mails.iter().zip(&tried) {
            match tried {
                Tried::Ended(end) => ends.push((*mail, end.clone())),
                _ => open.push(mail.debt_id()),
            }
        }
        // An answer is held until it is marked, even while the process stops.
        let never = CancellationToken::new();
        let standing = self.record.end(lease.channel(), &ends, &never).await?;
        if !open.is_empty() {
            self.release(&open, lease).await?;
        }
        let own = tried.iter_mut().filter_map(|tried| match tried {
            Tried::Ended(end) => Some(end),
            _ => None,
        });
        for ((own, standing), (mail, _)) in own.zip(standing).zip(&ends) {
            if *own != standing {
                let debt_id = mail.debt_id();
                warn!(
                    debt_id,
                    ?standing,
                    "The e-mail already has a different outcome"
                );
                *own = standing;
            }
        }
        Ok(tried)
    }

    /// What was sent before, and nobody knows whether it was taken, is not sent
    /// a third time.
    async fn end_unknown(
        &self,
        mails: &[&Mail],
        answers: &mut [Sending],
        lease: &Lease,
    ) -> Result<(), Gave> {
        let (debt_ids, mut unknown): (Vec<&str>, Vec<&mut Sending>) = mails
            .iter()
            .map(|mail| mail.debt_id())
            .zip(answers)
            .filter(|(_, answer)| matches!(answer, Sending::Unknown(_)))
            .unzip();
        if debt_ids.is_empty() {
            return Ok(());
        }
        // As an answer, it is held until it is recorded.
        let never = CancellationToken::new();
        let times = ride_out(self.ledger.outage(), &never, || {
            self.ledger
                .note_unknown_sends(lease.channel(), &debt_ids, lease.owner())
        })
        .await?;
        for (answer, times) in unknown.iter_mut().zip(times) {
            if times >= MOST_UNKNOWN {
                **answer = Sending::Undeliverable(OUTCOME_UNKNOWN);
            }
        }
        Ok(())
    }

    /// Gives claims of a lease back.
    async fn release(&self, debt_ids: &[&str], lease: &Lease) -> Result<(), Gave> {
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger
                .release_sends(lease.channel(), debt_ids, lease.owner())
        })
        .await
    }
}

impl<T: Transport, L: Ledger> BatchHandler for Worker<T, L> {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        let (erased, mut mails): (Vec<Mail>, Vec<Mail>) =
            read(deliveries).into_iter().partition(Mail::is_erased);
        let mut verdicts = Vec::with_capacity(mails.len());
        // Nearly always all are of one.
        for mails in mails.chunk_by_mut(|one, next| one.channel() == next.channel()) {
            verdicts.extend(self.verdicts(mails).await);
        }
        let messages = mails.iter().map(|mail| &*mail.messages);
        let erased = erased.iter().map(|mail| (&*mail.messages, Verdict::Done));
        verdicts_of_messages(deliveries.len(), messages.zip(verdicts).chain(erased))
    }
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
