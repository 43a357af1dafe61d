//! Which ledger a service works on.

use std::sync::Arc;

use super::redis::SAID_BY_A_URL;
use super::{
    LedgerMetrics, PostgresLedger, PostgresSettings, RedisLedger, RedisSettings, SharedLedger,
};
use crate::runtime::{Environment, ServiceError, SettingError};

const URL: &str = "LEDGER_URL";
const URL_FILE: &str = "LEDGER_URL_FILE";

/// Where the ledger is, and how to reach it.
#[derive(Clone, Debug)]
pub enum LedgerSettings {
    /// In Redis.
    Redis(RedisSettings),
    /// In PostgreSQL.
    Postgres(PostgresSettings),
}

impl LedgerSettings {
    /// The variables that may say where the ledger is.
    pub fn variables() -> impl Iterator<Item = &'static str> {
        [URL, URL_FILE].into_iter().chain(SAID_BY_A_URL)
    }

    /// Reads `LEDGER_URL`, or the file that `LEDGER_URL_FILE` names; without
    /// either, the `REDIS_…` variables.
    ///
    /// # Errors
    /// The first variable that is missing, wrong, or contradicts another.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        let Some(url) = env.secret(URL, URL_FILE)? else {
            return RedisSettings::read(env).map(Self::Redis);
        };
        // The scheme says which.
        if PostgresSettings::are_meant_by(&url) {
            return PostgresSettings::at(&url, env).map(Self::Postgres);
        }
        RedisSettings::at(&url, env).map(Self::Redis)
    }

    /// Reads a URL, whichever ledger the variables name. What they say beside
    /// that, such as certificates and timeouts, holds.
    ///
    /// # Errors
    /// The URL or the first variable that is wrong. The line does not hold the
    /// URL.
    pub fn at(url: &str, env: &Environment) -> Result<Self, SettingError> {
        let mut env = env.clone();
        for name in Self::variables() {
            env.set(name, "");
        }
        env.set(URL, url);
        Self::read(&env)
    }

    /// What it is called in logs, in metrics and by `/ready`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Redis(_) => "Redis",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Connects, with the tries that the settings allow. The calls are
    /// observed where there are metrics.
    ///
    /// # Errors
    /// When the ledger does not answer, or is none that keeps the promises.
    pub async fn connect(
        &self,
        metrics: Option<LedgerMetrics>,
    ) -> Result<SharedLedger, ServiceError> {
        match self {
            Self::Redis(settings) => {
                let ledger = RedisLedger::connect(settings, metrics).await?;
                Ok(Arc::new(ledger))
            }
            Self::Postgres(settings) => {
                let ledger = PostgresLedger::connect(settings, metrics).await?;
                Ok(Arc::new(ledger))
            }
        }
    }
}
