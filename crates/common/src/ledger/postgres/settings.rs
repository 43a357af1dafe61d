//! Where PostgreSQL is, and how to reach it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::ledger::reach::{KEEPALIVE_AFTER, KEEPALIVE_INTERVAL, StartTries, USER_TIMEOUT};
use crate::ledger::redis::SAID_BY_A_URL;
use crate::runtime::{Environment, HeldSecret, SettingError, hidden, wrong};

const TAKES: &str = "postgres://user:password@host:port/database, with \
                     ?sslmode=disable, prefer, require, verify-ca or verify-full";

const EXPIRATION: &str = "REDIS_DATA_EXPIRATION";

/// Where PostgreSQL is, and how long to wait for it. It shows no password.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Host, database, user and password.
    pub(super) config: Config,
    /// How the server proves who it is.
    pub(super) proof: ServerProof,
    /// Most connections at a time.
    pub(super) connections: usize,
    /// Longest wait for a connection.
    pub(super) connect_timeout: Duration,
    /// Longest wait for an answer.
    pub(super) operation_timeout: Duration,
    pub(super) start_tries: StartTries,
}

/// What a server's certificate must show, where there is TLS at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerProof {
    /// Nothing: whoever listens in stays out, whoever stands in between does not.
    None,
    /// It is signed by one of the authorities.
    Authority(Authorities),
    /// And it is that of the host.
    AuthorityAndName(Authorities),
}

/// Who may sign a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authorities {
    /// Those of the system.
    OfSystem,
    /// Those in that file.
    InFile(PathBuf),
}

impl PostgresSettings {
    /// Whether a URL of a ledger means PostgreSQL.
    pub(in crate::ledger) fn are_meant_by(url: &HeldSecret) -> bool {
        let url = url.secret.reveal();
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Reads that URL, and the `LEDGER_…` variables that stand beside it.
    ///
    /// # Errors
    /// What is wrong with the URL, without what it holds; a variable with a
    /// value that it does not take, or that is Redis's; an expiration, as
    /// PostgreSQL keeps what it is told.
    pub fn at(url: &HeldSecret, env: &Environment) -> Result<Self, SettingError> {
        env.refuse_beside(url.name, &SAID_BY_A_URL)?;
        if let Some(held) = env.get(EXPIRATION).filter(|held| *held != "0") {
            let takes = "only 0 with PostgreSQL, which keeps what it is told";
            return Err(wrong(EXPIRATION, held, takes));
        }
        let refuse = |why: &str| hidden(url.name, &format!("{TAKES}; {why}"));
        let (address, ssl) = SslParameters::take_from(url.secret.reveal()).map_err(refuse)?;
        let config: Result<Config, _> = address.parse();
        let mut config = config.map_err(|_| refuse(why_unread(&address)))?;
        let (mode, proof) = ssl.mode(&config).map_err(refuse)?;
        let connect_timeout = env.seconds("LEDGER_CONNECT_TIMEOUT", 5.0, 0.01, 300.0)?;
        let names = [config.get_dbname(), config.get_user()];
        if is_part_of_a_password(&config) {
            return Err(refuse(
                "its host or database cannot be read: a password holds @ as %40, / as %2F, # as %23 and ? as %3F",
            ));
        }
        if !has_host(&config) || names.contains(&None) || names.contains(&Some("")) {
            return Err(refuse("this lacks the host, the database or the user"));
        }
        config
            .ssl_mode(mode)
            .connect_timeout(connect_timeout)
            .tcp_user_timeout(USER_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_AFTER)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .application_name("billing-suite")
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config,
            proof,
            connections: env.number("LEDGER_CONNECTIONS", 8, 1, 1_000)?,
            connect_timeout,
            operation_timeout: env.seconds("LEDGER_OPERATION_TIMEOUT", 5.0, 0.01, 300.0)?,
            start_tries: StartTries::read(
                env,
                "LEDGER_CONNECTION_MAX_RETRIES",
                "LEDGER_CONNECTION_RETRY_INTERVAL",
            )?,
        })
    }

    /// The servers that are asked, as people name them.
    pub(super) fn address(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        match &ports[..] {
            [] => format!("{}/{database}", hosts.join(",")),
            ports => format!("{}:{}/{database}", hosts.join(","), ports.join(",")),
        }
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("address", &self.address())
            .field("proof", &self.proof)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// The parameters of a URL that tokio-postgres does not know.
#[derive(Default)]
struct SslParameters {
    mode: Option<String>,
    root_certificates: Option<PathBuf>,
}

impl SslParameters {
    /// Takes them out of a URL; gives the URL that is left.
    fn take_from(url: &str) -> Result<(String, Self), &'static str> {
        let Some((address, query)) = url.split_once('?') else {
            return Ok((url.to_owned(), Self::default()));
        };
        let mut taken = Self::default();
        let mut left = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => taken.mode = Some(mode.to_owned()),
                Some(("sslrootcert", file)) => {
                    let file = percent_decoded(file).ok_or("its sslrootcert is no path")?;
                    taken.root_certificates = Some(file.into());
                }
                _ => left.push(parameter),
            }
        }
        Ok((format!("{address}?{}", left.join("&")), taken))
    }

    /// What they ask for. Without `sslmode` a server elsewhere proves who it
    /// is, and one on this machine need not.
    fn mode(self, config: &Config) -> Result<(SslMode, ServerProof), &'static str> {
        let by = match self.root_certificates {
            Some(file) if file.as_os_str() != "system" => Authorities::InFile(file),
            _ => Authorities::OfSystem,
        };
        let default = if is_here(config) {
            "prefer"
        } else {
            "verify-full"
        };
        match self.mode.as_deref().unwrap_or(default) {
            "disable" => Ok((SslMode::Disable, ServerProof::None)),
            "prefer" => Ok((SslMode::Prefer, ServerProof::None)),
            // As libpq: with a file of authorities, one of them must have signed.
            "require" if matches!(by, Authorities::InFile(_)) => {
                Ok((SslMode::Require, ServerProof::Authority(by)))
            }
            "require" => Ok((SslMode::Require, ServerProof::None)),
            "verify-ca" => Ok((SslMode::Require, ServerProof::Authority(by))),
            "verify-full" => Ok((SslMode::Require, ServerProof::AuthorityAndName(by))),
            _ => Err("its sslmode is none of these"),
        }
    }
}

/// Why a URL cannot be read, without what it holds.
fn why_unread(url: &str) -> &'static str {
    let without_parameters = url.split_once('?').map(|(address, _)| address);
    match without_parameters.map(str::parse::<Config>) {
        Some(Ok(_)) => "a parameter behind its ? is unknown, or its value is wrong",
        _ => "this is none",
    }
}

/// Whether it is said where the server is.
fn has_host(config: &Config) -> bool {
    let is_named = |host: &Host| *host != Host::Tcp(String::new());
    config.get_hosts().iter().any(is_named) || !config.get_hostaddrs().is_empty()
}

/// Whether what was read as host or database is the end of a password whose
/// characters are not percent-encoded. It is never shown.
fn is_part_of_a_password(config: &Config) -> bool {
    let is_host = |c: char| c.is_alphanumeric() || "-._:[]".contains(c);
    let mut hosts = config.get_hosts().iter();
    let is_odd = |host: &Host| matches!(host, Host::Tcp(name) if !name.chars().all(is_host));
    hosts.any(is_odd) || config.get_dbname().is_some_and(|name| name.contains('@'))
}

/// Whether all servers are on this machine.
fn is_here(config: &Config) -> bool {
    let is_loopback = |address: &IpAddr| address.is_loopback();
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address| is_loopback(&address))
        }
        Host::Unix(_) => true,
    });
    hosts && config.get_hostaddrs().iter().all(is_loopback)
}

/// `%2Fetc` → `/etc`
fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Secret;

    fn read(url: &str) -> Result<PostgresSettings, SettingError> {
        at(url, &Environment::default())
    }

    fn at(url: &str, env: &Environment) -> Result<PostgresSettings, SettingError> {
        let url = HeldSecret {
            name: "LEDGER_URL",
            secret: Secret::new(url),
        };
        PostgresSettings::at(&url, env)
    }

    #[test]
    fn without_a_mode_a_server_elsewhere_proves_who_it_is() {
        let proofs = |url| {
            let settings = read(url).unwrap();
            (settings.config.get_ssl_mode(), settings.proof)
        };
        let system = Authorities::OfSystem;
        for (url, mode, proof) in [
            (
                "postgres://u:p@db.example:5432/ledger",
                SslMode::Require,
                ServerProof::AuthorityAndName(system.clone()),
            ),
            (
                "postgresql://u@127.0.0.1/l",
                SslMode::Prefer,
                ServerProof::None,
            ),
            (
                "postgres://u@localhost/l",
                SslMode::Prefer,
                ServerProof::None,
            ),
            (
                "postgres://u@%2Frun%2Fpg/l",
                SslMode::Prefer,
                ServerProof::None,
            ),
            (
                "postgres://u@localhost,db.example/l",
                SslMode::Require,
                ServerProof::AuthorityAndName(system.clone()),
            ),
            (
                "postgres://u@h/l?sslmode=disable",
                SslMode::Disable,
                ServerProof::None,
            ),
            (
                "postgres://u@h/l?sslmode=require",
                SslMode::Require,
                ServerProof::None,
            ),
            (
                "postgres://u@h/l?sslmode=verify-ca&connect_timeout=3",
                SslMode::Require,
                ServerProof::Authority(system),
            ),
            (
                "postgres://u@h/l?sslrootcert=%2Fa%20b.pem&sslmode=verify-full",
                SslMode::Require,
                ServerProof::AuthorityAndName(Authorities::InFile("/a b.pem".into())),
            ),
            (
                "postgres://u@h/l?sslmode=require&sslrootcert=/a.pem",
                SslMode::Require,
                ServerProof::Authority(Authorities::InFile("/a.pem".into())),
            ),
        ] {
            assert_eq!(proofs(url), (mode, proof), "{url}");
        }
    }

    #[test]
    fn a_password_with_any_characters_is_taken_and_never_shown() {
        let settings = read("postgres://u:p%40s%2Fs%3F%23@h:6000/ledger").unwrap();
        assert_eq!(settings.config.get_password(), Some(&b"p@s/s?#"[..]));
        let shown = format!("{settings:?}");
        assert!(shown.contains("h:6000/ledger"), "{shown}");
        assert!(!shown.contains("p@s") && !shown.contains("p%40"), "{shown}");
    }

    #[test]
    fn a_wrong_url_is_named_without_what_it_holds() {
        for url in [
            "postgres://u:secret@h:port/l",
            "postgres://u:secret@h/l?sslmode=secret",
            "postgres://u:secret@h/l?secret=1",
            "postgres://u:secret@h",
            "postgres://u:secret@/l?host=",
            "postgres://:secret@h/l",
            "postgres://u:se@cret.secret@h:1/l",
            "postgres://u:own:er/p@secret#1%@h:1/l",
            "postgres://u:a@secret/secret@h:1/l",
        ] {
            let line = read(url).unwrap_err().to_string();
            assert!(line.starts_with("LEDGER_URL is "), "{line}");
            assert!(!line.contains("secret"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_parameter_that_is_not_known_is_blamed() {
        let line = read("postgres://u:secret@h/l?pgbouncer=true").unwrap_err();
        assert!(line.to_string().contains("a parameter"), "{line}");
    }

    #[test]
    fn what_is_kept_for_ever_does_not_expire() {
        let env = |seconds: &str| {
            let name = "REDIS_DATA_EXPIRATION".to_owned();
            Environment::from_iter([(name, seconds.to_owned())])
        };
        let url = "postgres://u@localhost/l";
        assert!(at(url, &env("0")).is_ok());
        let error = at(url, &env("60")).unwrap_err();
        assert!(error.to_string().contains("only 0"), "{error}");
    }
}
