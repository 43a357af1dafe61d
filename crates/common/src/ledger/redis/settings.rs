use std::time::Duration;

use super::place::Place;
use super::tls_files::TlsFiles;
use crate::ledger::reach::StartTries;
use crate::runtime::{Environment, HeldSecret, SettingError};

/// Where Redis is, how to reach it, and how long to wait for it. Its passwords
/// and keys are never printed.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    pub(super) place: Place,
    pub(super) tls_files: TlsFiles,
    /// Longest wait for a connection.
    pub(super) connect_timeout: Duration,
    /// Longest wait for an answer.
    pub(super) operation_timeout: Duration,
    pub(super) start_tries: StartTries,
    /// How long claims and imports are kept; `None`: for ever.
    pub(super) expiration: Option<Duration>,
}

impl RedisSettings {
    /// Reads the `REDIS_…` variables.
    ///
    /// # Errors
    /// The first that is missing, wrong, or contradicts another.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Self::of(Place::read(env)?, env)
    }

    /// Reads a URL, and the `REDIS_…` variables that say nothing of where
    /// Redis is.
    ///
    /// # Errors
    /// The URL or the first variable that is wrong, or a variable that says the
    /// same as the URL. The line does not hold the URL.
    pub fn at(url: &HeldSecret, env: &Environment) -> Result<Self, SettingError> {
        Self::of(Place::at(url, env)?, env)
    }

    fn of(place: Place, env: &Environment) -> Result<Self, SettingError> {
        let expiration = env.number("REDIS_DATA_EXPIRATION", 0_u32, 0, u32::MAX)?;
        Ok(Self {
            tls_files: TlsFiles::read(env, place.uses_tls)?,
            place,
            expiration: (expiration > 0).then(|| Duration::from_secs(expiration.into())),
            connect_timeout: env.seconds("REDIS_CONNECT_TIMEOUT", 5.0, 0.01, 300.0)?,
            operation_timeout: env.seconds("REDIS_OPERATION_TIMEOUT", 5.0, 0.01, 300.0)?,
            start_tries: StartTries::read(
                env,
                "REDIS_CONNECTION_MAX_RETRIES",
                "REDIS_CONNECTION_RETRY_INTERVAL",
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Address;
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let redis = RedisSettings::read(&env(&[("REDIS_HOST", "h")])).unwrap();
        let address = Address {
            host: "h".to_owned(),
            port: 6379,
        };
        assert_eq!(redis.place.addresses, [address]);
        assert_eq!((redis.place.database, redis.start_tries.further), (0, 3));
        assert_eq!(redis.operation_timeout, Duration::from_secs(5));
    }

    #[test]
    fn wrong_values_are_refused() {
        assert!(RedisSettings::read(&env(&[])).is_err());
        for held in ["0", "nan", "inf", "1e9", "x"] {
            let env = env(&[("REDIS_HOST", "h"), ("REDIS_CONNECT_TIMEOUT", held)]);
            assert!(RedisSettings::read(&env).is_err(), "{held}");
        }
    }
}
