use std::time::Duration;

use crate::runtime::{Environment, SettingError};

/// Where Redis is, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Number of the logical database.
    pub database: i64,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub operation_timeout: Duration,
    /// Further tries to connect at start.
    pub connect_retries: u32,
    /// Time between the tries at start.
    pub connect_retry_interval: Duration,
    /// How long claims and imports are kept; `None`: for ever.
    pub expiration: Option<Duration>,
}

impl RedisSettings {
    /// Reads the `REDIS_…` variables.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        let expiration = env.number("REDIS_DATA_EXPIRATION", 0_u32, 0, u32::MAX)?;
        Ok(Self {
            expiration: (expiration > 0).then(|| Duration::from_secs(expiration.into())),
            host: env.required("REDIS_HOST", "a host name or address")?,
            port: env.number("REDIS_PORT", 6379, 1, u16::MAX)?,
            database: env.number("REDIS_DB", 0, 0, 1_000_000)?,
            connect_timeout: env.seconds("REDIS_CONNECT_TIMEOUT", 5.0, 0.01, 300.0)?,
            operation_timeout: env.seconds("REDIS_OPERATION_TIMEOUT", 5.0, 0.01, 300.0)?,
            connect_retries: env.number("REDIS_CONNECTION_MAX_RETRIES", 3, 0, 1_000_000)?,
            connect_retry_interval: env.seconds(
                "REDIS_CONNECTION_RETRY_INTERVAL",
                5.0,
                0.0,
                3_600.0,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (redis.port, redis.database, redis.connect_retries),
            (6379, 0, 3)
        );
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
