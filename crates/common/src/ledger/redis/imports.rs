use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use redis::{ExistenceCheck, Pipeline, SetExpiry, SetOptions};
use uuid::Uuid;

use super::carrying::{Listed, Listing};
use super::observe::progress;
use super::{RedisLedger, import_hash as hash, keys};
use crate::ledger::{ImportLedger, ImportStatus, KeyedUpload, LedgerError, NewImport, Observed};

#[async_trait]
impl ImportLedger for RedisLedger {
    async fn register_import(&self, import: &NewImport) -> Result<bool, LedgerError> {
        let key = keys::import(import.import_id);
        let mut connection = self.connection.clone();
        // First of all, as it is in another slot: one that is listed and not known
        // is taken all the same, and one that is known and not listed by nobody.
        let (spool, client, sent_at): (Option<String>, Option<String>, Option<String>) =
            redis::pipe()
                .hget(&key, hash::SPOOL)
                .hget(&key, hash::CLIENT)
                .hget(&key, hash::SENT_AT)
                .query_async(&mut connection)
                .await?;
        if sent_at.is_none() {
            let listed = match spool {
                Some(spool) => (spool, client.unwrap_or_default()),
                None => (import.spool.clone(), import.client.clone()),
            };
            self.list_once(&listed, import.import_id).await?;
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        for (field, value) in [
            (hash::ROWS, import.rows.to_string()),
            (hash::SIZE, import.size.to_string()),
            (hash::SHA256, import.sha256.clone()),
            (
                hash::ACCEPTED_AT,
                import.accepted_at.as_millisecond().to_string(),
            ),
            (
                hash::FILE_NAME,
                import.file_name.clone().unwrap_or_default(),
            ),
        ] {
            pipe.hset_nx(&key, field, value).ignore();
        }
        if !import.spool.is_empty() {
            pipe.hset_nx(&key, hash::SPOOL, &import.spool).ignore();
            pipe.hset_nx(&key, hash::CLIENT, &import.client).ignore();
        }
        pipe.hexists(&key, hash::SENT_AT);
        let (has_ended,): (bool,) = pipe.query_async(&mut connection).await?;
        // Keys of their own slots, so not in the same transaction. An import
        // that is known and not listed is listed when this is repeated.
        let mut pipe = redis::pipe();
        pipe.zadd(keys::IMPORTS, import.import_id.to_string(), 0)
            .ignore();
        pipe.cmd("HEXISTS").arg(&key).arg(hash::FINISHED_AT);
        let (finished,): (bool,) = pipe.query_async(&mut connection).await?;
        if !finished {
            self.list_as_open(import.import_id).await?;
        }
        self.expire([key]).await?;
        Ok(!has_ended)
    }

    async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError> {
        let rows = redis::cmd("HGET")
            .arg(keys::import(import_id))
            .arg(hash::ROWS)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(rows)
    }

    async fn record_waiting(&self, import_ids: &[Uuid], now: Timestamp) -> Result<(), LedgerError> {
        if import_ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        for import_id in import_ids {
            let key = keys::import(*import_id);
            pipe.hset(key, hash::WAITED_AT, now.as_millisecond())
                .ignore();
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn cancel_import(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        let mut call = self.carrying.cancel.prepare_invoke();
        call.key(keys::import(import_id)).arg(now.as_millisecond());
        let ended: Option<Listed> = call.invoke_async(&mut self.connection.clone()).await?;
        match ended {
            Some(listed) => self.list(&listed, import_id, Listing::Ended).await,
            None => Ok(()),
        }
    }

    async fn adopt_import(&self, status: &ImportStatus) -> Result<(), LedgerError> {
        let import_id = status.import.import_id;
        self.register_import(&status.import).await?;
        let key = keys::import(import_id);
        let time = |time: Option<Timestamp>| time.map(|time| time.as_millisecond().to_string());
        let fields = [
            (hash::SENT, Some(status.sent.to_string())),
            (hash::OFFSET, Some(status.offset.to_string())),
            (hash::SENT_AT, time(status.sent_at)),
            (hash::CANCELLED_AT, time(status.cancelled_at)),
            (hash::ABANDONED_AT, time(status.abandoned_at)),
            (hash::FAILURE, status.failure.clone()),
            (hash::WAITED_AT, time(status.waited_at)),
            (hash::PROGRESS, Some(progress(status))),
            (hash::PROGRESSED_AT, time(Some(status.progressed_at))),
            (hash::FINISHED_AT, time(status.finished_at)),
        ];
        let fields: Vec<_> = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)))
            .collect();
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        pipe.cmd("HSET").arg(&key).arg(fields).ignore();
        let () = pipe.query_async(&mut connection).await?;
        if let Some(erasure) = &status.erasure {
            self.adopt_erasure(import_id, erasure).await?;
        }
        if status.sent_at.is_some() {
            let listed = (status.import.spool.clone(), status.import.client.clone());
            self.list(&listed, import_id, Listing::Ended).await?;
        }
        let mut pipe = redis::pipe();
        if status.finished_at.is_some() {
            pipe.srem(keys::OPEN_IMPORTS, import_id.to_string())
                .ignore();
        }
        if let (Some(_), Some(failed_at)) = (&status.failure, status.sent_at) {
            pipe.zadd(
                keys::FAILED_IMPORTS,
                import_id.to_string(),
                failed_at.as_millisecond(),
            )
            .ignore();
        }
        if pipe.is_empty() {
            return Ok(());
        }
        Ok(pipe.exec_async(&mut connection).await?)
    }

    async fn import_status(&self, import_id: Uuid) -> Result<Option<ImportStatus>, LedgerError> {
        Ok(self.look(import_id, None).await?.map(|(status, _)| status))
    }

    async fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError> {
        self.observe(import_id, now).await
    }

    async fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>, LedgerError> {
        let newest = before.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        let ids: Vec<String> = redis::cmd("ZRANGE")
            .arg(keys::IMPORTS)
            .arg(newest)
            .arg("-")
            .arg(&["BYLEX", "REV", "LIMIT", "0"])
            .arg(limit)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    async fn open_imports(&self) -> Result<Vec<Uuid>, LedgerError> {
        let ids: Vec<String> = redis::cmd("SMEMBERS")
            .arg(keys::OPEN_IMPORTS)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    async fn failed_imports(&self, since: Timestamp) -> Result<u64, LedgerError> {
        let failed = redis::cmd("ZCOUNT")
            .arg(keys::FAILED_IMPORTS)
            .arg(since.as_millisecond())
            .arg("+inf")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(failed)
    }

    async fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> Result<KeyedUpload, LedgerError> {
        let milliseconds = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .get(true)
            .with_expiration(SetExpiry::PX(milliseconds));
        let mut pipe = redis::pipe();
        pipe.set_options(
            keys::idempotency(key),
            format!("{} {}", upload.import_id, upload.sha256),
            options,
        );
        let (earlier,): (Option<String>,) = pipe.query_async(&mut self.connection.clone()).await?;
        let earlier = earlier.as_deref().and_then(keyed_upload);
        Ok(earlier.unwrap_or_else(|| upload.clone()))
    }

    async fn keyed_upload(&self, key: &str) -> Result<Option<KeyedUpload>, LedgerError> {
        let stored: Option<String> = redis::cmd("GET")
            .arg(keys::idempotency(key))
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(stored.as_deref().and_then(keyed_upload))
    }
}

impl RedisLedger {
    /// Lets an import be looked at until its end is seen, and webhooks be told of
    /// it.
    pub(super) async fn list_as_open(&self, import_id: Uuid) -> Result<(), LedgerError> {
        self.note_import(import_id).await?;
        redis::cmd("SADD")
            .arg(keys::OPEN_IMPORTS)
            .arg(import_id.to_string())
            .exec_async(&mut self.connection.clone())
            .await?;
        Ok(())
    }

    /// Lets keys of an import go where they are not kept for ever.
    pub(super) async fn expire<const N: usize>(
        &self,
        keys: [String; N],
    ) -> Result<(), LedgerError> {
        let Some(seconds) = self.expires_after() else {
            return Ok(());
        };
        let mut pipe = Pipeline::new();
        for key in keys {
            pipe.expire(key, seconds).ignore();
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }
}

/// `<import id> <sha256>`
pub(super) fn keyed_upload(stored: &str) -> Option<KeyedUpload> {
    let (import_id, sha256) = stored.split_once(' ')?;
    Some(KeyedUpload {
        import_id: import_id.parse().ok()?,
        sha256: sha256.to_owned(),
    })
}
