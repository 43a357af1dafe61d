use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::Secret;

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
    /// Set beside another that says the same or the opposite.
    #[error("{name} and {other} are both set; set one of them")]
    Both {
        /// The variable.
        name: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// Set without another that it needs.
    #[error("{name} is set, and takes effect only with {needs}")]
    Alone {
        /// The variable.
        name: &'static str,
        /// The other one, or its value.
        needs: &'static str,
    },
}

/// A secret, and the variable that held it or named its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSecret {
    /// The variable.
    pub name: &'static str,
    /// The secret.
    pub secret: Secret,
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

    /// Sets a variable; an empty value takes it away.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The value of a variable, without blanks at its ends.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// A secret, which `name` holds, or a file that `file` names; `None` where
    /// neither is set. One line break at the end of the file is not part of it.
    ///
    /// # Errors
    /// Both are set, or the file cannot be read or is empty.
    pub fn secret(
        &self,
        name: &'static str,
        file: &'static str,
    ) -> Result<Option<HeldSecret>, SettingError> {
        match (self.get(name), self.get(file)) {
            (Some(_), Some(_)) => Err(SettingError::Both { name, other: file }),
            (Some(held), None) => Ok(Some(HeldSecret {
                name,
                secret: Secret::new(held),
            })),
            (None, Some(path)) => Ok(Some(HeldSecret {
                name: file,
                secret: secret_in(path)
                    .map_err(|why| wrong(file, path, &format!("the path of a file; {why}")))?,
            })),
            (None, None) => Ok(None),
        }
    }

    /// Refuses that one of `others` is set beside `name`.
    pub fn refuse_beside(
        &self,
        name: &'static str,
        others: &[&'static str],
    ) -> Result<(), SettingError> {
        match others.iter().find(|other| self.get(other).is_some()) {
            Some(other) => Err(SettingError::Both { name, other }),
            None => Ok(()),
        }
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

fn secret_in(path: &str) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    match line.strip_suffix('\r').unwrap_or(line) {
        "" => Err("it is empty".to_owned()),
        secret => Ok(Secret::new(secret)),
    }
}

/// The same for one whose value must not be shown.
pub(crate) fn hidden(name: &'static str, takes: &str) -> SettingError {
    wrong(name, "(hidden)", takes)
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
