use std::net::{IpAddr, Ipv4Addr};

use super::TraceSettings;
use crate::messaging::AwsSettings;
use crate::runtime::{Environment, SettingError, wrong};

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
    /// Where spans go; `None` where traces are off.
    pub traces: Option<TraceSettings>,
}

impl BaseSettings {
    /// Reads `BIND_ADDRESS`, the named port variable, `LOG_LEVEL`,
    /// `AWS_…`, `SQS_ENDPOINT_URL`, `SNS_ENDPOINT_URL` and `OTEL_…`.
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
            traces: TraceSettings::read(env)?,
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
