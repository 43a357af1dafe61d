//! Erases what identifies the debtors of an import: its file, and what the
//! claims of its debts say of them. Numbers and outcomes stay.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{
    Channel, Claim, ClaimedDebt, EndedSend, ImportStatus, Ledger, LedgerError, Revision, SendClaim,
    SendEnd,
};
use common::runtime::{GaveUp, ride_out, wait};
use contract::Reason;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::blocking::blocking;
use crate::spool::Spool;

/// Time between two looks at what somebody began and died over, or left undone
/// as its file was elsewhere.
const INTERVAL: Duration = Duration::from_mins(10);
/// The same where the look before failed.
const RETRY: Duration = Duration::from_mins(1);
/// Wait before what somebody else held is tried again.
const HELD: Duration = Duration::from_secs(1);
/// For so long nobody sends the e-mails that are ended. Whoever dies over it
/// keeps them from nobody for longer.
const LEASE: Duration = Duration::from_secs(30);
/// By that time after its retention the file of an import is removed, wherever
/// it was.
const REMOVED_AFTER: Duration = Duration::from_hours(1);

/// Why an e-mail is never sent that was open when its debt was erased.
const ERASED: Reason = Reason {
    code: Cow::Borrowed("personal_data_removed"),
    text: Cow::Borrowed("the personal data was removed before the e-mail was sent"),
};

#[derive(Debug, Error)]
enum EraseError {
    #[error(transparent)]
    Files(#[from] io::Error),
    #[error(transparent)]
    GaveUp(#[from] GaveUp<LedgerError>),
}

/// Whether the file of an import is not in that spool, and may be in another
/// one, where nobody can remove it from here.
pub fn is_file_elsewhere(
    spool: &Spool,
    status: &ImportStatus,
    retention: Duration,
    now: Timestamp,
) -> bool {
    let is_own = status.import.spool == spool.name();
    let ended = status.finished_at;
    let is_removed = ended.is_some_and(|ended| now >= ended + retention + REMOVED_AFTER);
    !is_own && !is_removed
}

/// Erases imports, one after another.
#[derive(Debug)]
pub struct Eraser<L> {
    /// The files.
    pub spool: Spool,
    /// The claims, and which imports are to be erased.
    pub ledger: L,
    /// How long the file of an import is kept by itself.
    pub retention: Duration,
    /// Ends it; what is left is done after the next start.
    pub stop: CancellationToken,
}

/// What a look at all claims of an import came to.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    /// Debts that were erased.
    debts: u64,
    /// E-mails that were ended.
    mails: u64,
    /// Debts that somebody else held, by their e-mail or by their claim.
    held: u64,
    /// Claims that a counterpart wrote and that cannot be read.
    unreadable: u64,
}

/// A debt of a page.
struct Debt {
    id: String,
    claim: Claim,
    /// What is to take the claim's place; `None` where it is erased.
    erased: Option<Claim>,
}

impl<L: Ledger> Eraser<L> {
    /// Erases what is asked for, now, whenever it is told of more, and every ten
    /// minutes, until told to stop.
    pub async fn run(self, asked: Arc<Notify>) {
        loop {
            let pause = if self.round().await { INTERVAL } else { RETRY };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = asked.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Gives whether nothing failed.
    async fn round(&self) -> bool {
        let open = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.open_erasures()
        });
        let open = match open.await {
            Ok(open) => open,
            Err(error) => {
                debug!(%error, "What is to be erased is not known");
                return false;
            }
        };
        let mut all = true;
        for import_id in open {
            if let Err(error) = self.erase(import_id).await {
                warn!(%import_id, %error, "Personal data was not removed to the end, trying again later");
                all = false;
            }
        }
        all
    }

    /// Erases an import. Each step can be repeated, so that whoever dies over it
    /// begins anew.
    async fn erase(&self, import_id: Uuid) -> Result<(), EraseError> {
        let status = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.import_status(import_id)
        })
        .await?;
        if let Some(status) = status {
            let now = Timestamp::now();
            let is_elsewhere = is_file_elsewhere(&self.spool, &status, self.retention, now);
            if status.erasure.is_none() || is_elsewhere {
                return Ok(());
            }
        }
        // First, so that nothing of it is sent again.
        self.spool.remove(import_id).await?;
        let (mut debts, mut mails) = (0, 0);
        let last = loop {
            let pass = self.pass(import_id).await?;
            debts += pass.debts;
            mails += pass.mails;
            if pass.held > 0 {
                wait(HELD, &self.stop).await.map_err(GaveUp::from)?;
            } else if pass.debts + pass.mails == 0 {
                // A look that finds nothing left is the proof.
                break pass;
            }
        };
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.end_erasure(import_id, Timestamp::now())
        })
        .await?;
        info!(%import_id, debts, mails, "Personal data was removed");
        if last.unreadable > 0 {
            let claims = last.unreadable;
            warn!(%import_id, claims, "Claims cannot be read, and may hold personal data");
        }
        Ok(())
    }

    /// Looks at all claims of an import, and erases them.
    async fn pass(&self, import_id: Uuid) -> Result<Pass, EraseError> {
        let (mut pass, mut from) = (Pass::default(), None::<String>);
        loop {
            let page = ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.claims_of(import_id, from.as_deref())
            })
            .await?;
            let found = page.debts.len();
            let debts = blocking(move || Ok(readable(page.debts))).await?;
            pass.unreadable += (found - debts.len()) as u64;
            let free = self.end_mails(debts, &mut pass).await?;
            self.erase_claims(&free, &mut pass).await?;
            from = page.next;
            if from.is_none() {
                return Ok(pass);
            }
        }
    }

    /// Ends the e-mails that are open, as those of a row that was sent again at
    /// the same moment. Gives the debts but for those whose e-mail is being sent.
    async fn end_mails(&self, debts: Vec<Debt>, pass: &mut Pass) -> Result<Vec<Debt>, EraseError> {
        let mut channels: BTreeMap<Channel, Vec<Debt>> = BTreeMap::new();
        for debt in debts {
            let channel = debt.claim.mail_channel();
            channels.entry(channel).or_default().push(debt);
        }
        let mut free = Vec::new();
        for (channel, debts) in channels {
            let debt_ids: Vec<&str> = debts.iter().map(|debt| &*debt.id).collect();
            let owner = Uuid::new_v4();
            let claims = ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.claim_sends(channel, &debt_ids, owner, LEASE)
            })
            .await?;
            let granted = debts.iter().zip(&claims);
            let granted = granted.filter(|(_, claim)| **claim == SendClaim::Granted);
            let ends: Vec<EndedSend<'_>> = granted
                .map(|(debt, _)| EndedSend {
                    debt_id: &debt.id,
                    row: debt.claim.holder.row(),
                    end: SendEnd::Undeliverable(ERASED),
                })
                .collect();
            ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.end_sends(channel, &ends)
            })
            .await?;
            pass.mails += ends.len() as u64;
            for (debt, claim) in debts.into_iter().zip(claims) {
                match claim {
                    SendClaim::Leased(_) => pass.held += 1,
                    SendClaim::Granted | SendClaim::Ended(_) => free.push(debt),
                }
            }
        }
        Ok(free)
    }

    async fn erase_claims(&self, debts: &[Debt], pass: &mut Pass) -> Result<(), EraseError> {
        let revisions = debts.iter().filter_map(|debt| {
            Some(Revision {
                debt_id: &debt.id,
                from: &debt.claim,
                to: debt.erased.as_ref()?,
            })
        });
        let revisions: Vec<Revision<'_>> = revisions.collect();
        let revised = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.revise(&revisions)
        })
        .await?;
        let erased = revised.iter().filter(|revised| **revised).count();
        pass.debts += erased as u64;
        // Its address was changed at the same time, or the answer was lost.
        pass.held += (revisions.len() - erased) as u64;
        Ok(())
    }
}

/// The debts whose claims can be read.
fn readable(debts: Vec<ClaimedDebt>) -> Vec<Debt> {
    let debts = debts
        .into_iter()
        .filter_map(|ClaimedDebt { debt_id, claim }| {
            let erased = if claim.is_erased() {
                None
            } else {
                Some(claim.erased()?)
            };
            Some(Debt {
                id: debt_id,
                claim,
                erased,
            })
        });
    debts.collect()
}

#[cfg(test)]
mod tests {
    use common::ledger::{
        Bill, ChannelLedger, DebtLedger, DebtState, ErasureLedger, ImportLedger, NewImport,
    };
    use contract::{RowId, RowIdentity};
    use testkit::{FaultPlan, MemoryLedger, new_import};

    use super::*;

    const ROWS: u64 = 30;
    const OWN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);
    /// So many of its debts have an open e-mail: somebody sent them again at the
    /// same moment.
    const OPEN: u64 = 3;

    fn debt(import_id: Uuid, row: u64) -> String {
        format!("{}-{row}", import_id.as_u128())
    }

    async fn settle(ledger: &MemoryLedger, spool: &Spool, import_id: Uuid) {
        let import = NewImport {
            spool: spool.name().to_owned(),
            ..new_import(import_id, ROWS)
        };
        ledger.register_import(&import).await.unwrap();
        for row in 1..=ROWS {
            let debt_id = debt(import_id, row);
            let row = RowId { import_id, row };
            let notification = testkit::billed(&debt_id, row.row);
            let notification = serde_json::to_string(&notification).unwrap();
            let claim = Claim::new(RowIdentity::Row(row), notification);
            let bill = Bill {
                debt_id: debt_id.clone(),
                claim,
            };
            ledger.bill(&[bill]).await.unwrap();
            if row.row > OPEN {
                let end = EndedSend {
                    debt_id: &debt_id,
                    row: Some(row),
                    end: SendEnd::Sent,
                };
                ledger.end_sends(Channel::MAIL, &[end]).await.unwrap();
            }
        }
    }

    /// How many debts of an import are erased.
    async fn erased(ledger: &MemoryLedger, import_id: Uuid) -> u64 {
        let debts: Vec<String> = (1..=ROWS).map(|row| debt(import_id, row)).collect();
        let debts: Vec<&str> = debts.iter().map(String::as_str).collect();
        let states = ledger.debts(&debts).await.unwrap();
        let erased = states.iter().filter(|state| match state {
            DebtState::Billed { claim, .. } => claim.as_ref().is_some_and(Claim::is_erased),
            DebtState::Unbilled => panic!("a debt is no longer billed"),
        });
        erased.count() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn wherever_it_is_killed_it_is_done_in_the_end_and_never_said_before() {
        let mut killed_halfway = 0;
        for seed in 0..60 {
            let folder = tempfile::tempdir().unwrap();
            let spool = Spool::open(folder.path()).unwrap();
            let ledger = MemoryLedger::default();
            settle(&ledger, &spool, OWN).await;
            settle(&ledger, &spool, OTHER).await;
            let file = folder.path().join(format!("{OWN}.json"));
            std::fs::write(&file, "{}").unwrap();
            // Somebody is sending one of the open e-mails.
            let sender = Uuid::new_v4();
            let sent = debt(OWN, 1);
            ledger
                .claim_sends(Channel::MAIL, &[&sent], sender, Duration::from_secs(5))
                .await
                .unwrap();
            ledger
                .begin_erasure(OWN, "", Timestamp::now())
                .await
                .unwrap();
            let mut random = fastrand::Rng::with_seed(seed);
            loop {
                let eraser = Eraser {
                    spool: spool.clone(),
                    ledger: ledger.with_faults(FaultPlan::new(random.u64(..))),
                    retention: Duration::ZERO,
                    stop: CancellationToken::new(),
                };
                let dies = Duration::from_millis(random.u64(1..20_000));
                let asked = Arc::new(Notify::new());
                let _ = tokio::time::timeout(dies, eraser.run(asked)).await;
                let status = ledger.import_status(OWN).await.unwrap().unwrap();
                let (of_own, is_open) = (erased(&ledger, OWN).await, status.is_being_erased());
                assert!(is_open || of_own == ROWS, "{of_own} of {ROWS}, seed {seed}");
                killed_halfway += u64::from((1..ROWS).contains(&of_own));
                if !is_open {
                    break;
                }
            }
            assert!(!file.exists());
            assert_eq!(erased(&ledger, OTHER).await, 0);
            for row in 1..=ROWS {
                let debt_id = debt(OWN, row);
                let ends = ledger.send_ends(Channel::MAIL, &[&debt_id]).await.unwrap();
                let expected = if row > OPEN {
                    SendEnd::Sent
                } else {
                    SendEnd::Undeliverable(ERASED)
                };
                assert_eq!(ends, [Some(expected)], "{debt_id}");
            }
            assert_eq!(ledger.open_erasures().await.unwrap(), Vec::<Uuid>::new());
        }
        assert!(killed_halfway > 5, "{killed_halfway}");
    }
}
