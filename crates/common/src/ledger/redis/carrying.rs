use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use tracing::debug;
use uuid::Uuid;

use super::carrier_scripts::{CANCELLED, GOES_ON, HELD, TAKEN, TAKEN_OVER};
use super::{RedisLedger, keys};
use crate::ledger::{
    CarrierLedger, Carrying, Checkpoint, FAILURES_KEPT, ImportLease, LedgerError, TakenImport,
};

/// How many imports are looked at that turn out not to be free. Each is listed
/// as what it is by then, so that the next call goes on behind it.
const LOOKS: usize = 100;

/// Spool and client of an import, where it is listed; the former is empty
/// where nobody has said it.
pub(super) type Listed = (String, String);

/// How an import is listed for carriers.
#[derive(Clone, Copy)]
pub(super) enum Listing {
    /// It is free after that time.
    FreeAfter(Duration),
    /// It is not listed: its sending has ended.
    Ended,
}

#[async_trait]
impl CarrierLedger for RedisLedger {
    async fn take_import(
        &self,
        spool: &str,
        attempt: Uuid,
        lasts: Duration,
    ) -> Result<Option<TakenImport>, LedgerError> {
        if spool.is_empty() {
            return Ok(None);
        }
        for _ in 0..LOOKS {
            let Some((client, id)) = self.next_import(spool).await? else {
                break;
            };
            let listed = (spool.to_owned(), client);
            let Ok(import_id) = id.parse::<Uuid>() else {
                self.list_id(&listed, &id, Listing::Ended).await?;
                continue;
            };
            let (found, figure, rows, offset) =
                self.try_to_take(&listed, import_id, attempt, lasts).await?;
            match found {
                TAKEN => {
                    // It is taken, whatever becomes of the list: one that is
                    // listed as free is looked at once more than it need be.
                    let seen_to = async {
                        self.expire([keys::import(import_id)]).await?;
                        let listing = Listing::FreeAfter(lasts);
                        self.list_id(&listed, &id, listing).await
                    };
                    if let Err(error) = seen_to.await {
                        debug!(%import_id, %error, "An import that was taken is listed as free");
                    }
                    let lease = ImportLease {
                        import_id,
                        epoch: figure,
                    };
                    let from = Checkpoint { rows, offset };
                    return Ok(Some(TakenImport { lease, from }));
                }
                HELD => {
                    let listing = Listing::FreeAfter(Duration::from_millis(figure));
                    self.list_id(&listed, &id, listing).await?;
                }
                _ => self.list_id(&listed, &id, Listing::Ended).await?,
            }
        }
        Ok(None)
    }

    async fn renew_imports(
        &self,
        leases: &[ImportLease],
        lasts: Duration,
    ) -> Result<Vec<bool>, LedgerError> {
        let renewed = leases.iter().map(|lease| self.lease_lasts(lease, lasts));
        try_join_all(renewed).await
    }

    async fn give_back(&self, lease: &ImportLease, after: Duration) -> Result<(), LedgerError> {
        self.lease_lasts(lease, after).await.map(drop)
    }

    async fn end_leases(&self, spool: &str) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        let mut held = self.carrying.held.prepare_invoke();
        held.key(keys::carried_clients(spool));
        let held: Vec<(String, String)> = held.invoke_async(&mut connection).await?;
        for (client, id) in held {
            if let Ok(import_id) = id.parse() {
                let mut call = self.carrying.end_lease.prepare_invoke();
                let () = call
                    .key(keys::import(import_id))
                    .invoke_async(&mut connection)
                    .await?;
            }
            let listed = (spool.to_owned(), client);
            self.list_id(&listed, &id, Listing::FreeAfter(Duration::ZERO))
                .await?;
        }
        Ok(())
    }

    async fn record_sent(
        &self,
        lease: &ImportLease,
        sent: Checkpoint,
        sent_at: Option<Timestamp>,
    ) -> Result<Carrying, LedgerError> {
        let sent_at = sent_at.map(|sent_at| sent_at.as_millisecond().to_string());
        let has_ended = sent_at.is_some();
        let mut call = self.carrying.record_sent.prepare_invoke();
        call.key(keys::import(lease.import_id))
            .arg(lease.epoch)
            .arg(sent.rows)
            .arg(sent.offset)
            .arg(sent_at.unwrap_or_default());
        let (found, spool, client): (i64, String, String) =
            call.invoke_async(&mut self.connection.clone()).await?;
        if has_ended && found != TAKEN_OVER {
            self.list(&(spool, client), lease.import_id, Listing::Ended)
                .await?;
        }
        Ok(match found {
            GOES_ON => Carrying::GoesOn,
            CANCELLED => Carrying::Cancelled,
            _ => Carrying::TakenOver,
        })
    }

    async fn record_failure(
        &self,
        lease: &ImportLease,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut connection = self.connection.clone();
        let mut call = self.carrying.record_failure.prepare_invoke();
        call.key(keys::import(lease.import_id))
            .arg(lease.epoch)
            .arg(reason)
            .arg(now.as_millisecond());
        let listed: Option<Listed> = call.invoke_async(&mut connection).await?;
        let Some(listed) = listed else {
            return Ok(false);
        };
        let mut pipe = redis::pipe();
        pipe.cmd("ZADD")
            .arg(keys::FAILED_IMPORTS)
            .arg("NX")
            .arg(now.as_millisecond())
            .arg(lease.import_id.to_string())
            .ignore();
        let forgotten = (now - FAILURES_KEPT).as_millisecond();
        pipe.zrembyscore(keys::FAILED_IMPORTS, "-inf", format!("({forgotten}"))
            .ignore();
        pipe.exec_async(&mut connection).await?;
        self.list(&listed, lease.import_id, Listing::Ended).await?;
        Ok(true)
    }

    async fn uncarried_imports(&self, spool: &str) -> Result<Vec<Uuid>, LedgerError> {
        if spool.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.carrying.free.prepare_invoke();
        call.key(keys::carried_clients(spool));
        let ids: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

impl RedisLedger {
    /// The client and the id of the import that is to be taken next.
    async fn next_import(&self, spool: &str) -> Result<Option<(String, String)>, LedgerError> {
        let mut call = self.carrying.next.prepare_invoke();
        call.key(keys::carried_clients(spool));
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Takes an import that was listed as free.
    async fn try_to_take(
        &self,
        (spool, client): &Listed,
        import_id: Uuid,
        attempt: Uuid,
        lasts: Duration,
    ) -> Result<(i64, u64, u64, u64), LedgerError> {
        let mut call = self.carrying.take.prepare_invoke();
        call.key(keys::import(import_id))
            .arg(attempt.to_string())
            .arg(milliseconds(lasts))
            .arg(spool)
            .arg(client);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Lets a lease last that long, from now on. Gives whether it is held.
    async fn lease_lasts(&self, lease: &ImportLease, lasts: Duration) -> Result<bool, LedgerError> {
        let mut call = self.carrying.lease.prepare_invoke();
        call.key(keys::import(lease.import_id))
            .arg(lease.epoch)
            .arg(milliseconds(lasts));
        let listed: Option<Listed> = call.invoke_async(&mut self.connection.clone()).await?;
        if let Some(listed) = &listed {
            self.list(listed, lease.import_id, Listing::FreeAfter(lasts))
                .await?;
        }
        Ok(listed.is_some())
    }

    /// Lists an import for the carriers of its spool.
    pub(super) async fn list(
        &self,
        listed: &Listed,
        import_id: Uuid,
        listing: Listing,
    ) -> Result<(), LedgerError> {
        self.list_id(listed, &import_id.to_string(), listing).await
    }

    async fn list_id(
        &self,
        (spool, client): &Listed,
        id: &str,
        listing: Listing,
    ) -> Result<(), LedgerError> {
        if spool.is_empty() {
            return Ok(());
        }
        let mut call = self.carrying.list.prepare_invoke();
        call.key(keys::carried_clients(spool)).arg(client).arg(id);
        match listing {
            Listing::FreeAfter(time) => call.arg(milliseconds(time)),
            Listing::Ended => call.arg(-1),
        };
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Lists an import, unless it is listed already.
    pub(super) async fn list_once(
        &self,
        (spool, client): &Listed,
        import_id: Uuid,
    ) -> Result<(), LedgerError> {
        if spool.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic()
            .sadd(keys::carried_clients(spool), client)
            .ignore()
            .cmd("ZADD")
            .arg(keys::carried(spool, client))
            .arg("NX")
            .arg(0)
            .arg(import_id.to_string())
            .ignore();
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
