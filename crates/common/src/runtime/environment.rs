use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
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
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The error for a variable that holds something it does not take.
pub(crate) fn wrong(name: &'static str, held: &str, takes: &str) -> SettingError {
    SettingError::Wrong {
        name,
        held: held.to_owned(),
        takes: takes.to_owned(),
    }
}

fn checked_url(name: &'static str, held: &str, takes: &str) -> Result<String, SettingError> {
    let uri: http::Uri = held.parse().map_err(|_| wrong(name, held, takes))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(held.to_owned())
    } else {
        Err(wrong(name, held, takes))
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
    fn a_wrong_value_names_variable_value_and_what_it_takes() {
        let error = env(&[("PORT", "eighty")])
            .number("PORT", 8000_u16, 0, u16::MAX)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "PORT is \"eighty\"; it takes a whole number from 0 to 65535"
        );
        let error = env(&[])
            .required::<String>("REDIS_HOST", "a host name or address")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "REDIS_HOST is not set; it takes a host name or address"
        );
    }
}
