//! The claims of an import are found by a look at all: Redis keeps no list of
//! them, which would take as much memory as their keys.

use async_trait::async_trait;
use jiff::Timestamp;
use redis::Pipeline;
use uuid::Uuid;

use super::keys::{Keys, Tag};
use super::{RedisLedger, import_hash as hash, keys, stored_claim};
use crate::ledger::{ClaimedDebt, ClaimsPage, Erasure, ErasureLedger, ImportLedger, LedgerError};

/// Keys that Redis looks at in one call, for a fraction of a millisecond.
const KEYS_A_CALL: usize = 1_000;

/// Where a look at all claims goes on.
struct Place {
    /// Index of the tag of the debts; a cluster has those of each together.
    tag: usize,
    /// What `SCAN` answered.
    cursor: u64,
}

impl Place {
    const START: Self = Self { tag: 0, cursor: 0 };

    fn read(text: &str) -> Option<Self> {
        let (tag, cursor) = text.split_once(':')?;
        Some(Self {
            tag: tag.parse().ok()?,
            cursor: cursor.parse().ok()?,
        })
    }

    /// Where it goes on once `SCAN` has answered with that cursor.
    fn behind(self, cursor: u64) -> Self {
        Self {
            tag: self.tag + usize::from(cursor == 0),
            cursor,
        }
    }

    fn text(&self) -> String {
        format!("{}:{}", self.tag, self.cursor)
    }
}

#[async_trait]
impl ErasureLedger for RedisLedger {
    async fn claims_of(
        &self,
        import_id: Uuid,
        from: Option<&str>,
    ) -> Result<ClaimsPage, LedgerError> {
        let place = from.map_or(Some(Place::START), Place::read);
        let place =
            place.ok_or_else(|| LedgerError::permanent("no page of claims begins there"))?;
        let tags = self.keys.tags();
        let Some(tag) = tags.get(place.tag) else {
            return Ok(ClaimsPage::default());
        };
        let (cursor, debt_ids) = self.scan_claims(tag, place.cursor).await?;
        let next = place.behind(cursor);
        let debt_ids: Vec<&str> = debt_ids.iter().map(String::as_str).collect();
        let claims = self.claims(&debt_ids).await?;
        let debts = debt_ids.iter().zip(claims).filter_map(|(debt_id, stored)| {
            let claim = stored_claim::read(&stored?)?;
            let is_of_import = claim.holder.row()?.import_id == import_id;
            is_of_import.then(|| ClaimedDebt {
                debt_id: (*debt_id).to_owned(),
                claim,
            })
        });
        Ok(ClaimsPage {
            debts: debts.collect(),
            next: (next.tag < tags.len()).then(|| next.text()),
        })
    }

    async fn begin_erasure(
        &self,
        import_id: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        // First of all, as it is in another slot: one that is listed and not to be
        // erased is passed over.
        self.list_erasure(import_id).await?;
        let erasure = Erasure {
            asked_at: now,
            by: by.to_owned(),
            erased_at: None,
        };
        let mut pipe = Pipeline::new();
        record(&mut pipe, import_id, &erasure);
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn end_erasure(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        // Of one that has expired nothing is to be recorded.
        if self.rows_of(import_id).await?.is_some() {
            redis::cmd("HSETNX")
                .arg(keys::import(import_id))
                .arg(hash::ERASED_AT)
                .arg(now.as_millisecond())
                .exec_async(&mut self.connection.clone())
                .await?;
        }
        redis::cmd("SREM")
            .arg(keys::ERASING_IMPORTS)
            .arg(import_id.to_string())
            .exec_async(&mut self.connection.clone())
            .await?;
        Ok(())
    }

    async fn open_erasures(&self) -> Result<Vec<Uuid>, LedgerError> {
        let ids: Vec<String> = redis::cmd("SMEMBERS")
            .arg(keys::ERASING_IMPORTS)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

impl RedisLedger {
    /// Takes the erasure of an import over from another ledger.
    pub(super) async fn adopt_erasure(
        &self,
        import_id: Uuid,
        erasure: &Erasure,
    ) -> Result<(), LedgerError> {
        if erasure.erased_at.is_none() {
            self.list_erasure(import_id).await?;
        }
        let mut pipe = Pipeline::new();
        record(&mut pipe, import_id, erasure);
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn list_erasure(&self, import_id: Uuid) -> Result<(), LedgerError> {
        let mut call = redis::cmd("SADD");
        call.arg(keys::ERASING_IMPORTS).arg(import_id.to_string());
        Ok(call.exec_async(&mut self.connection.clone()).await?)
    }

    /// The debts of some of the claims with that tag, and where to go on; 0 at
    /// the end.
    async fn scan_claims(&self, tag: Tag, cursor: u64) -> Result<(u64, Vec<String>), LedgerError> {
        let prefix = Keys::claims_of_tag(tag);
        let mut call = redis::cmd("SCAN");
        call.arg(cursor)
            .arg("MATCH")
            .arg(format!("{prefix}*"))
            .arg("COUNT")
            .arg(KEYS_A_CALL);
        let (next, keys): (u64, Vec<Vec<u8>>) =
            call.query_async(&mut self.connection.clone()).await?;
        // One that is no text is a counterpart's.
        let keys = keys
            .into_iter()
            .filter_map(|key| String::from_utf8(key).ok());
        let debt_ids = keys.filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned));
        Ok((next, debt_ids.collect()))
    }
}

fn record(pipe: &mut Pipeline, import_id: Uuid, erasure: &Erasure) {
    let key = keys::import(import_id);
    let asked_at = erasure.asked_at.as_millisecond();
    pipe.atomic()
        .hset_nx(&key, hash::ERASING_SINCE, asked_at)
        .ignore()
        .hset_nx(&key, hash::ERASED_BY, &erasure.by)
        .ignore();
    if let Some(erased_at) = erasure.erased_at {
        pipe.hset_nx(&key, hash::ERASED_AT, erased_at.as_millisecond())
            .ignore();
    }
}
