//! The ledger in Redis 7 or later. Redis is named in this module alone.

mod agreements;
mod carrier_scripts;
mod carrying;
mod channels;
mod claims;
mod closed;
mod connection;
mod debts;
mod erasure;
mod error;
mod export;
mod import_hash;
mod imports;
mod info;
mod keys;
mod masters;
mod memory;
mod observe;
mod opened;
mod opener;
mod place;
mod put_off;
mod reason;
mod revisions;
mod rights;
mod rows;
mod runs;
mod settings;
mod startup;
mod stored_claim;
mod stored_end;
mod tls_files;
mod undeliverable;
mod unsuitable;
mod webhook_scripts;
mod webhooks;

pub(super) use place::SAID_BY_A_URL;
pub use settings::RedisSettings;

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionLike;
use ::redis::{Script, SetExpiry, SetOptions};
use async_trait::async_trait;

use self::carrier_scripts::CarrierScripts;
use self::closed::closed;
use self::connection::Connection;
use self::keys::Keys;
use self::webhook_scripts::WebhookScripts;
use super::{AnyLedger, LedgerError, LedgerMemory};
use crate::runtime::{Dependency, Outage};

/// How long the key is kept that is written to see whether Redis takes writes.
const KEPT_SECONDS: u64 = 60;

/// The ledger in Redis. Cloning shares the connection; every method waits at
/// most the operation timeout, and before it the connect timeout where there is
/// no connection.
#[derive(Clone)]
pub struct RedisLedger {
    connection: Connection,
    keys: Keys,
    outage: Outage,
    /// How long claims and imports are kept; `None`: for ever.
    expiration: Option<Duration>,
    /// Records once what became of a row (see `rows`).
    marking: Arc<Script>,
    /// Claims messages to debtors, gives claims back, and ends messages (see
    /// `channels`).
    claim_sends: Arc<Script>,
    release_sends: Arc<Script>,
    end_sends: Arc<Script>,
    /// Records that rows are undeliverable, takes it back, and with it the ends
    /// of their e-mails (see `undeliverable`).
    record_undeliverable: Arc<Script>,
    reopen_undeliverable: Arc<Script>,
    forget_ends: Arc<Script>,
    /// Keeps why e-mails of rows are put off (see `put_off`).
    keep_put_off_reasons: Arc<Script>,
    /// Who carries an import (see `carrying`).
    carrying: Arc<CarrierScripts>,
    /// What webhooks are told of (see `webhooks`).
    webhooks: Arc<WebhookScripts>,
}

impl std::fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLedger").finish_non_exhaustive()
    }
}

impl RedisLedger {
    /// For how many seconds keys are kept; `None`: for ever.
    fn expires_after(&self) -> Option<i64> {
        let seconds = self.expiration?.as_secs();
        Some(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Whether the two are one ledger, by whatever names they are reached.
    ///
    /// # Errors
    /// One of them does not answer.
    pub async fn is(&self, other: &Self) -> Result<bool, LedgerError> {
        let (own, theirs) = (self.identity().await?, other.identity().await?);
        Ok(own == theirs && own.0.is_some())
    }

    /// The run of its server, and the number of the database.
    async fn identity(&self) -> Result<(Option<String>, i64), LedgerError> {
        let infos = masters::infos(&self.connection, Some("server")).await?;
        let runs = infos.iter().filter_map(|info| info::field(info, "run_id"));
        let first = runs.min().map(str::to_owned);
        Ok((first, self.connection.get_db()))
    }
}

impl Dependency for RedisLedger {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

#[async_trait]
impl AnyLedger for RedisLedger {
    async fn ping(&self) -> Result<(), LedgerError> {
        // A write, as a server that has become a replica, or is full, still
        // answers what only reads. In a task, so that it comes to its end, and
        // a silent connection to be replaced, where who asks waits less long.
        let mut pipe = self.claiming();
        let options = SetOptions::default().with_expiration(SetExpiry::EX(KEPT_SECONDS));
        for key in self.keys.ready() {
            pipe.set_options(key, 1, options.clone()).ignore();
        }
        let ledger = self.clone();
        let asked = tokio::spawn(async move { ledger.unless_closed(&pipe).await });
        let answered: Option<()> = asked.await.map_err(LedgerError::transient)??;
        answered.ok_or_else(closed)
    }

    async fn memory(&self) -> Result<Option<LedgerMemory>, LedgerError> {
        let infos = masters::infos(&self.connection, Some("memory")).await?;
        Ok(memory::fullest(infos.iter().map(|info| memory::read(info))))
    }
}
