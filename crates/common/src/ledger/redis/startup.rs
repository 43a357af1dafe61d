use std::fmt::Display;
use std::sync::Arc;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tracing::{info, warn};

use super::carrier_scripts::CarrierScripts;
use super::channels::end_script;
use super::claims::{claim_script, release_script};
use super::closed::why_closed;
use super::connection::Connection;
use super::info::field;
use super::keys::Keys;
use super::opener::Opener;
use super::place::Place;
use super::put_off::reasons_script;
use super::rows::marking_script;
use super::undeliverable::{forget_script, record_script, reopen_script};
use super::webhook_scripts::WebhookScripts;
use super::{RedisLedger, masters, rights, unsuitable};
use crate::ledger::{LedgerMetrics, RedisSettings};
use crate::runtime::{Outage, ServiceError};

impl RedisLedger {
    /// Connects, with the tries that the settings allow, and checks that
    /// Redis is what the promises need. Later the connection mends itself.
    ///
    /// # Errors
    /// [`ServiceError::Unsuitable`] where a setting must change: Redis refuses
    /// the user, the user lacks a right, its certificate cannot be trusted, it
    /// is older than 7.0, another ledger took its place, or it is a cluster
    /// where the settings name none, or the reverse. [`ServiceError::Ledger`]
    /// when it does not answer, or is a replica.
    pub async fn connect(
        settings: &RedisSettings,
        metrics: Option<LedgerMetrics>,
    ) -> Result<Self, ServiceError> {
        Self::connect_to(settings, metrics, false).await
    }

    /// The same, though another ledger may have taken its place: to copy it once
    /// more, or to open it.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_though_closed(settings: &RedisSettings) -> Result<Self, ServiceError> {
        Self::connect_to(settings, None, true).await
    }

    async fn connect_to(
        settings: &RedisSettings,
        metrics: Option<LedgerMetrics>,
        may_be_closed: bool,
    ) -> Result<Self, ServiceError> {
        let place = &settings.place;
        let opener = Opener::new(settings).map_err(|error| unusable(place, place, &error))?;
        let connection = Connection::new(opener.clone(), metrics);
        let look = || look(&opener, &connection, place, may_be_closed);
        let infos = settings.start_tries.of("Redis", look).await?;
        for info in &infos {
            info!(version = field(info, "redis_version"), "Redis answers");
            warn_of_risks(info);
        }
        if settings.expiration.is_some() {
            warn!(
                "REDIS_DATA_EXPIRATION is above 0: a debt may be billed again once its key is gone"
            );
        }
        Ok(Self {
            connection,
            keys: if place.is_cluster {
                Keys::OfCluster
            } else {
                Keys::OfServer
            },
            outage: Outage::new("Redis"),
            expiration: settings.expiration,
            marking: Arc::new(marking_script()),
            claim_sends: Arc::new(claim_script()),
            release_sends: Arc::new(release_script()),
            end_sends: Arc::new(end_script()),
            record_undeliverable: Arc::new(record_script()),
            reopen_undeliverable: Arc::new(reopen_script()),
            forget_ends: Arc::new(forget_script()),
            keep_put_off_reasons: Arc::new(reasons_script()),
            carrying: Arc::new(CarrierScripts::new()),
            webhooks: Arc::new(WebhookScripts::new()),
        })
    }
}

/// What each master says of itself, once all of them are fit.
async fn look(
    opener: &Opener,
    connection: &Connection,
    place: &Place,
    may_be_closed: bool,
) -> Result<Vec<String>, ServiceError> {
    let failed = |error: RedisError| unusable(place, place, &error);
    let check = |info: &str| {
        unsuitable::check(info, place.is_cluster)
            .map_err(|why| ServiceError::Unsuitable(format!("Redis at {place} {why}")))
    };
    // Over a connection of its own, whose errors come as they are.
    let mut first = opener.first_server().await.map_err(failed)?;
    let info: String = redis::cmd("INFO")
        .query_async(&mut first)
        .await
        .map_err(failed)?;
    check(&info)?;
    check_rights(first, place, place).await?;
    if place.is_cluster {
        // Each master has users of its own.
        let mut node = opener.first_server().await.map_err(failed)?;
        for address in masters::addresses(&mut node).await.map_err(failed)? {
            let master = opener.server_at(&address).await;
            let master = master.map_err(|error| unusable(&address, place, &error))?;
            check_rights(master, &address, place).await?;
        }
    }
    let infos = masters::infos(connection, None).await.map_err(failed)?;
    infos.iter().try_for_each(|info| check(info))?;
    let closed = why_closed(connection.clone()).await.map_err(failed)?;
    match closed.filter(|_| !may_be_closed) {
        Some(why) => Err(ServiceError::Unsuitable(format!(
            "the ledger in Redis at {place} cannot be used: {why}"
        ))),
        None => Ok(infos),
    }
}

/// Whether the user of the settings may do on a server what the ledger does.
async fn check_rights(
    server: MultiplexedConnection,
    at: &impl Display,
    place: &Place,
) -> Result<(), ServiceError> {
    let missing = rights::missing(server, place.is_cluster).await;
    match missing.map_err(|error| unusable(at, place, &error))? {
        None => Ok(()),
        Some(call) => Err(ServiceError::Unsuitable(format!(
            "Redis at {at} does not let its user call {call}; give the user the rights that \
             docs/SETTINGS.md lists"
        ))),
    }
}

fn unusable(at: &impl Display, place: &Place, error: &RedisError) -> ServiceError {
    let line = format!("Redis at {at} cannot be used: {error}");
    let named_by = place.named_by;
    match unsuitable::remedy(error) {
        Some(remedy) => ServiceError::Unsuitable(format!("{line}; {remedy}")),
        None => ServiceError::Ledger(format!(
            "{line}; check {named_by} and whether it speaks TLS, or start the master"
        )),
    }
}

fn warn_of_risks(info: &str) {
    if field(info, "aof_enabled") == Some("0") {
        warn!("Redis runs without AOF: debts lost in a crash are billed and mailed again");
    }
    if field(info, "maxmemory_policy").is_some_and(|policy| policy != "noeviction") {
        warn!("Redis may evict keys: an evicted debt is billed and mailed again; set noeviction");
    }
}
