use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::runtime::{Environment, SettingError, hidden, wrong};

/// What the specification says where nothing else does.
const TIMEOUT_MS: u64 = 10_000;
const QUEUE: usize = 2_048;
const BATCH: usize = 512;

/// The path of a collector below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const TRACES_PATH: &str = "/v1/traces";

/// Where spans go, by the variables of OpenTelemetry:
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.
/// Those that are not here the SDK reads, and ignores what it cannot: they are
/// checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// The URL that takes spans.
    pub(super) endpoint: String,
    /// Longest wait for the collector to take a batch.
    pub(super) timeout: Duration,
    /// Most spans that wait for the collector.
    pub(super) queue: usize,
}

impl TraceSettings {
    /// `None` where traces are off: no endpoint is set, or the SDK or the
    /// exporter is switched off.
    pub fn read(env: &Environment) -> Result<Option<Self>, SettingError> {
        let own = env.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?;
        let of_all = env.url("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let below = |base: String| format!("{}{TRACES_PATH}", base.trim_end_matches('/'));
        let Some(endpoint) = own.or(of_all.map(below)) else {
            return Ok(None);
        };
        let is_disabled = one_of(env, "OTEL_SDK_DISABLED", &["false", "true"])? == Some("true");
        let exporter = one_of(env, "OTEL_TRACES_EXPORTER", &["otlp", "none"])?;
        if is_disabled || exporter == Some("none") {
            return Ok(None);
        }
        check_exporter(env)?;
        check_sampler(env)?;
        let (queue, batch) = ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
        let queue = env.number(queue, QUEUE, 1, 1_000_000)?;
        env.number(batch, BATCH.min(queue), 1, queue)?;
        for delay in ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"] {
            env.number(delay, 1_u64, 1, 3_600_000)?;
        }
        Ok(Some(Self {
            endpoint,
            timeout: timeout(env)?,
            queue,
        }))
    }
}

fn timeout(env: &Environment) -> Result<Duration, SettingError> {
    let milliseconds = |name, default| env.number(name, default, 1, 3_600_000);
    let of_all = milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT_MS)?;
    let own = milliseconds("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", of_all)?;
    Ok(Duration::from_millis(own))
}

/// What this build sends, and how.
fn check_exporter(env: &Environment) -> Result<(), SettingError> {
    for name in [
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ] {
        one_of(env, name, &["http/protobuf"])?;
    }
    for name in [
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    ] {
        one_of(env, name, &["none"])?;
    }
    for name in [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    ] {
        // They may be secret.
        let takes = "headers such as key1=value1,key2=value2";
        if env.get(name).is_some_and(|held| !are_pairs(held)) {
            return Err(hidden(name, takes));
        }
    }
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    match env.get(name) {
        Some(held) if !are_pairs(held) => Err(wrong(
            name,
            held,
            "attributes such as key1=value1,key2=value2",
        )),
        _ => Ok(()),
    }
}

fn check_sampler(env: &Environment) -> Result<(), SettingError> {
    let samplers = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];
    let sampler = one_of(env, "OTEL_TRACES_SAMPLER", &samplers)?;
    if sampler.is_some_and(|sampler| sampler.ends_with("traceidratio")) {
        between(env, "OTEL_TRACES_SAMPLER_ARG", 0.0, 1.0)?;
    }
    Ok(())
}

/// The value of a variable that takes one of these.
fn one_of<'a>(
    env: &'a Environment,
    name: &'static str,
    takes: &[&str],
) -> Result<Option<&'a str>, SettingError> {
    match env.get(name) {
        Some(held) if !takes.contains(&held) => Err(wrong(name, held, &takes.join(", "))),
        held => Ok(held),
    }
}

fn between<T>(env: &Environment, name: &'static str, least: T, most: T) -> Result<(), SettingError>
where
    T: FromStr + PartialOrd + Display + Copy,
{
    match env.get(name) {
        Some(held)
            if !held
                .parse()
                .is_ok_and(|value| (least..=most).contains(&value)) =>
        {
            Err(wrong(
                name,
                held,
                &format!("a number from {least} to {most}"),
            ))
        }
        _ => Ok(()),
    }
}

/// `key=value`, separated by commas.
fn are_pairs(held: &str) -> bool {
    let is_pair = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, _)| !key.trim().is_empty())
    };
    held.split_terminator(',').all(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    fn read(variables: &[(&str, &str)]) -> Result<Option<TraceSettings>, SettingError> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TraceSettings::read(&variables.collect())
    }

    #[test]
    fn they_are_off_unless_an_endpoint_is_set_and_nothing_switches_them_off() {
        for off in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_TRACES_SAMPLER", "nobody looks at it")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "true")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(read(off).unwrap(), None, "{off:?}");
        }
    }

    #[test]
    fn the_endpoint_of_traces_is_taken_as_it_is_and_that_of_all_signals_has_a_path_below() {
        let own = "http://collector:4318/own";
        for (variables, endpoint) in [
            (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own)], own),
            (
                &[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own)],
                own,
            ),
        ] {
            let settings = read(variables).unwrap().unwrap();
            assert_eq!(settings.endpoint, endpoint);
            assert_eq!(settings.timeout, Duration::from_secs(10));
            assert_eq!(settings.queue, QUEUE);
        }
    }

    #[test]
    fn a_wrong_value_is_refused_and_a_secret_one_is_not_shown() {
        for (name, held) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector"),
            ("OTEL_SDK_DISABLED", "perhaps"),
            ("OTEL_TRACES_EXPORTER", "jaeger"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a-secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_RESOURCE_ATTRIBUTES", "production"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ] {
            let error = read(&[ENDPOINT, (name, held)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
            assert!(!error.contains("a-secret"), "{error}");
        }
        let ratio = ("OTEL_TRACES_SAMPLER", "traceidratio");
        for (held, is_fine) in [("0.01", true), ("1", true), ("1.1", false), ("few", false)] {
            let read = read(&[ENDPOINT, ratio, ("OTEL_TRACES_SAMPLER_ARG", held)]);
            assert_eq!(read.is_ok(), is_fine, "{held}");
        }
    }
}
