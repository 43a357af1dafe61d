use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A variable that is missing or wrong: one line that names it, what it held
/// and what it takes.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SettingError {
    /// Required, and not set.
    #[error("{name} is not set; it takes {takes}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it takes.
        takes: String,
    },
    /// Set to something it does not take.
    #[error("{name} is {held:?}; it takes {takes}")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// What it held.
        held: String,
        /// What it takes.
        takes: String,
    },
}

/// The environment of the process, read once at start. An empty value counts
/// as not set, as compose files pass one for a variable without a value.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The value of a variable, without blanks at its ends.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// A variable that must be set.
    pub fn required<T: FromStr>(&self, name: &'static str, takes: &str) -> Result<T, SettingError> {
        let held = self.get(name).ok_or_else(|| SettingError::Missing {
            name,
            takes: takes.to_owned(),
        })?;
        held.parse().map_err(|_| wrong(name, held, takes))
    }

    /// A variable with a default.
    pub fn or<T: FromStr>(
        &self,
        name: &'static str,
        default: T,
        takes: &str,
    ) -> Result<T, SettingError> {
        match self.get(name) {
            None => Ok(default),
            Some(held) => held.parse().map_err(|_| wrong(name, held, takes)),
        }
    }

    /// A whole number from `least` to `most`, with a default.
    pub fn number<T>(
        &self,
        name: &'static str,
        default: T,
        least: T,
        most: T,
    ) -> Result<T, SettingError>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let takes = format!("a whole number from {least} to {most}");
        let value = self.or(name, default, &takes)?;
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(wrong(name, &value.to_string(), &takes))
        }
    }

    /// Seconds, with or without decimals, from `least` to `most`, with a
    /// default.
    pub fn seconds(
        &self,
        name: &'static str,
        default: f64,
        least: f64,
        most: f64,
    ) -> Result<Duration, SettingError> {
        let takes = format!("a number of seconds from {least} to {most}");
        let value: f64 = self.or(name, default, &takes)?;
        if (least..=most).contains(&value) {
            Ok(Duration::from_secs_f64(value))
        } else {
            Err(wrong(name, &value.to_string(), &takes))
        }
    }

    /// The address of an HTTP endpoint; `None` where it is not set.
    pub fn url(&self, name: &'static str) -> Result<Option<String>, SettingError> {
        const TAKES: &str = "a URL such as http://localhost:4566";
        match self.get(name) {
            None => Ok(None),
            Some(held) => checked_url(name, held, TAKES).map(Some),
        }
    }

    /// The URL of a queue.
    pub fn queue_url(&self, name: &'static str) -> Result<String, SettingError> {
        const TAKES: &str =
            "the URL of a queue, such as http://localhost:4566/000000000000/data-process";
        let held: String = self.required(name, TAKES)?;
        checked_url(name, &held, TAKES)
    }

    /// The ARN of a topic.
    pub fn topic_arn(&self, name: &'static str) -> Result<String, SettingError> {
        const TAKES: &str =
            "the ARN of a topic, such as arn:aws:sns:us-east-1:000000000000:data-process-topic";
        let held: String = self.required(name, TAKES)?;
        let is_arn =
            held.split(':').count() == 6 && held.starts_with("arn:") && held.contains(":sns:");
        if is_arn {
            Ok(held)
        } else {
            Err(wrong(name, &held, TAKES))
        }
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

fn wrong(name: &'static str, held: &str, takes: &str) -> SettingError {
    SettingError::Wrong {
        name,
        held: held.to_owned(),
        takes: takes.to_owned(),
    }
}

fn checked_url(name: &'static str, held: &str, takes: &str) -> Result<String, SettingError> {
    let uri: axum::http::Uri = held.parse().map_err(|_| wrong(name, held, takes))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(held.to_owned())
    } else {
        Err(wrong(name, held, takes))
    }
}

/// Keys of an AWS account that were given by variables.
#[derive(Clone)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, for temporary keys.
    pub session_token: Option<String>,
}

/// Secrets are never printed.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

impl AwsKeys {
    /// `None` where neither key is set.
    fn read(env: &Environment) -> Result<Option<Self>, SettingError> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        if env.get(ID).is_none() && env.get(SECRET).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            access_key_id: env.required(ID, "a key id, as AWS_SECRET_ACCESS_KEY is set")?,
            secret_access_key: env.required(SECRET, "a key, as AWS_ACCESS_KEY_ID is set")?,
            session_token: env.get("AWS_SESSION_TOKEN").map(str::to_owned),
        }))
    }
}

/// What every service reads: where it listens, how much it logs, where AWS is.
#[derive(Clone, Debug)]
pub struct BaseSettings {
    /// Address of the HTTP listener.
    pub bind_address: IpAddr,
    /// Port of the HTTP listener; 0 takes a free one.
    pub port: u16,
    /// A tracing filter.
    pub log_filter: String,
    /// Where AWS is.
    pub aws: AwsSettings,
}

impl BaseSettings {
    /// Reads `BIND_ADDRESS`, the named port variable, `LOG_LEVEL`,
    /// `AWS_…` and `SQS_ENDPOINT_URL`.
    pub fn read(
        env: &Environment,
        port_variable: &'static str,
        default_port: u16,
    ) -> Result<Self, SettingError> {
        Ok(Self {
            bind_address: env.or(
                "BIND_ADDRESS",
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                "an IP address such as 127.0.0.1 or 0.0.0.0",
            )?,
            port: env.number(port_variable, default_port, 0, u16::MAX)?,
            log_filter: log_filter(env)?,
            aws: AwsSettings::read(env)?,
        })
    }
}

/// Where AWS is, and who calls it.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Region.
    pub region: String,
    /// Keys; `None` leaves it to the SDK's own chain.
    pub keys: Option<AwsKeys>,
    /// Endpoint of SQS, where it is not AWS's own.
    pub sqs_endpoint: Option<String>,
}

impl AwsSettings {
    /// Reads `AWS_…` and `SQS_ENDPOINT_URL`.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            region: env.get("AWS_REGION").unwrap_or("us-east-1").to_owned(),
            keys: AwsKeys::read(env)?,
            sqs_endpoint: env.url("SQS_ENDPOINT_URL")?,
        })
    }
}

fn log_filter(env: &Environment) -> Result<String, SettingError> {
    const NAME: &str = "LOG_LEVEL";
    let held = env.get(NAME).unwrap_or("INFO");
    let filter = match held.to_ascii_uppercase().as_str() {
        "WARNING" => "WARN".to_owned(),
        "CRITICAL" => "ERROR".to_owned(),
        _ => held.to_owned(),
    };
    // A lone unknown word would be taken for the name of a target.
    let names_levels = filter.contains(['=', ',']) || filter.parse::<tracing::Level>().is_ok();
    if names_levels && filter.parse::<tracing_subscriber::EnvFilter>().is_ok() {
        Ok(filter)
    } else {
        let takes = "DEBUG, INFO, WARNING, ERROR or a tracing filter such as info,common=debug";
        Err(wrong(NAME, held, takes))
    }
}

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
}

impl RedisSettings {
    /// Reads the `REDIS_…` variables.
    pub fn read(env: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
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
        let base = BaseSettings::read(&env(&[("SQS_ENDPOINT_URL", "")]), "PORT", 8000).unwrap();
        assert_eq!(base.bind_address.to_string(), "127.0.0.1");
        assert_eq!((base.port, base.log_filter.as_str()), (8000, "INFO"));
        assert_eq!(
            (base.aws.region.as_str(), base.aws.sqs_endpoint),
            ("us-east-1", None)
        );
        let redis = RedisSettings::read(&env(&[("REDIS_HOST", "h")])).unwrap();
        assert_eq!(
            (redis.port, redis.database, redis.connect_retries),
            (6379, 0, 3)
        );
        assert_eq!(redis.operation_timeout, Duration::from_secs(5));
    }

    #[test]
    fn a_wrong_value_names_variable_value_and_what_it_takes() {
        let error = env(&[("PORT", "eighty")])
            .number("PORT", 8000_u16, 0, u16::MAX)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "PORT is \"eighty\"; it takes a whole number from 0 to 65535"
        );
        let error = RedisSettings::read(&env(&[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "REDIS_HOST is not set; it takes a host name or address"
        );
    }

    #[test]
    fn wrong_values_are_refused() {
        for (name, held) in [
            ("BIND_ADDRESS", "localhost:80"),
            ("PORT", "65536"),
            ("PORT", "-1"),
            ("LOG_LEVEL", "LOUD"),
            ("LOG_LEVEL", "info,common=loud"),
            ("SQS_ENDPOINT_URL", "localhost"),
            ("SQS_ENDPOINT_URL", "ftp://localhost"),
        ] {
            let error = BaseSettings::read(&env(&[(name, held)]), "PORT", 8000).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
        for held in ["0", "nan", "inf", "1e9", "x"] {
            let env = env(&[("REDIS_HOST", "h"), ("REDIS_CONNECT_TIMEOUT", held)]);
            assert!(RedisSettings::read(&env).is_err(), "{held}");
        }
        let env = env(&[
            ("SQS_QUEUE_URL", "data-process"),
            ("SNS_TOPIC_ARN", "topic"),
        ]);
        assert!(env.queue_url("SQS_QUEUE_URL").is_err());
        assert!(env.topic_arn("SNS_TOPIC_ARN").is_err());
    }

    #[test]
    fn keys_are_taken_together_and_never_printed() {
        let read = |variables: &[_]| BaseSettings::read(&env(variables), "PORT", 8000);
        let id = ("AWS_ACCESS_KEY_ID", "an-id");
        let secret = ("AWS_SECRET_ACCESS_KEY", "a-secret");
        assert!(read(&[]).unwrap().aws.keys.is_none());
        for half in [id, secret] {
            assert!(read(&[half]).is_err());
        }
        let base = read(&[id, secret]).unwrap();
        assert!(base.aws.keys.is_some());
        assert!(!format!("{base:?}").contains("a-secret"));
    }

    #[test]
    fn log_levels_are_taken_in_any_case() {
        for held in [
            "debug",
            "Info",
            "WARNING",
            "warning",
            "error",
            "info,common=debug",
        ] {
            assert!(log_filter(&env(&[("LOG_LEVEL", held)])).is_ok(), "{held}");
        }
    }
}
