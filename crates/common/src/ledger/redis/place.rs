//! Where a Redis is: from the `REDIS_…` variables, or from a URL.

use std::fmt;

use http::uri::Authority;
use percent_encoding::percent_decode_str;

use crate::runtime::{Environment, HeldSecret, Secret, SettingError, hidden, wrong};

/// The port of an address without one.
const PORT: u16 = 6379;

/// The largest number of a logical database.
const LAST_DATABASE: i64 = 1_000_000;

const URL_TAKES: &str = "a URL such as rediss://user:password@host:6379/0 or \
     rediss-cluster://user:password@host:6379,host:6379 (redis:// and redis-cluster:// without TLS), \
     its user and password percent-encoded";

const HOST_TAKES: &str = "a host name or address; LEDGER_URL takes the URL of any ledger instead";

const HOST: &str = "REDIS_HOST";
const USERNAME: &str = "REDIS_USERNAME";
const PASSWORD: &str = "REDIS_PASSWORD";
const PASSWORD_FILE: &str = "REDIS_PASSWORD_FILE";
const TLS: &str = "REDIS_TLS";
const CLUSTER: &str = "REDIS_CLUSTER";

/// What says where Redis is, and must not stand beside a URL. `REDIS_PORT` and
/// `REDIS_DB` say nothing without a host, and Kubernetes sets the former for a
/// service of the name `redis`.
pub(in crate::ledger) const SAID_BY_A_URL: [&str; 6] =
    [HOST, USERNAME, PASSWORD, PASSWORD_FILE, TLS, CLUSTER];

/// Where Redis is, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What an operator changes to have it elsewhere.
    pub(super) named_by: &'static str,
    /// Hosts with their ports: one, or some of the nodes of a cluster.
    pub(super) addresses: Vec<Address>,
    pub(super) is_cluster: bool,
    /// Number of the logical database.
    pub(super) database: i64,
    pub(super) login: Login,
    pub(super) uses_tls: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    /// `None`: the user `default`.
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
}

impl Place {
    /// Reads the variables.
    pub(super) fn read(env: &Environment) -> Result<Self, SettingError> {
        let flag = |name| env.or(name, false, "true or false");
        let host: String = env.required(HOST, HOST_TAKES)?;
        // A URL, perhaps with a password
        if host.contains(['@', '/']) || host.contains(char::is_whitespace) {
            return Err(hidden(HOST, HOST_TAKES));
        }
        let place = Self {
            named_by: "REDIS_HOST and REDIS_PORT",
            addresses: vec![Address {
                host,
                port: env.number("REDIS_PORT", PORT, 1, u16::MAX)?,
            }],
            is_cluster: flag(CLUSTER)?,
            database: env.number("REDIS_DB", 0, 0, LAST_DATABASE)?,
            login: Login {
                username: env.get(USERNAME).map(str::to_owned),
                password: env.secret(PASSWORD, PASSWORD_FILE)?.map(|held| held.secret),
            },
            uses_tls: flag(TLS)?,
        };
        if place.login.username.is_some() && place.login.password.is_none() {
            return Err(SettingError::Alone {
                name: USERNAME,
                needs: "REDIS_PASSWORD or REDIS_PASSWORD_FILE",
            });
        }
        if place.is_cluster && place.database != 0 {
            let held = place.database.to_string();
            return Err(wrong("REDIS_DB", &held, "0, as REDIS_CLUSTER is true"));
        }
        Ok(place)
    }

    /// Reads a URL; no variable may say the same.
    pub(super) fn at(url: &HeldSecret, env: &Environment) -> Result<Self, SettingError> {
        env.refuse_beside(url.name, &SAID_BY_A_URL)?;
        parse(url.name, url.secret.reveal())
            .map_err(|why| hidden(url.name, &format!("{URL_TAKES}; {why}")))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The addresses alone.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

/// Why it cannot be read never holds a part of it: what stands in the wrong
/// place may be the password.
fn parse(named_by: &'static str, url: &str) -> Result<Place, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no ://")?;
    let (is_cluster, uses_tls) = match scheme {
        "redis" => (false, false),
        "rediss" => (false, true),
        "redis-cluster" => (true, false),
        "rediss-cluster" => (true, true),
        _ => return Err("it begins with none of these, nor with postgres://"),
    };
    if rest.contains(['?', '#']) {
        return Err("it has a ? or #, which a password holds as %3F and %23");
    }
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, addresses) = match authority.rsplit_once('@') {
        Some((login, addresses)) => (read_login(login)?, addresses),
        None => (Login::default(), authority),
    };
    let addresses: Vec<Address> = addresses
        .split(',')
        .map(read_address)
        .collect::<Result<_, _>>()?;
    if !is_cluster && addresses.len() > 1 {
        return Err("it names several hosts, and is not of a cluster");
    }
    let database = match database {
        "" => 0,
        number => number
            .parse()
            .ok()
            .filter(|number| (0..=LAST_DATABASE).contains(number))
            .ok_or("what follows the host is not the number of a database")?,
    };
    if is_cluster && database != 0 {
        return Err("a cluster has the database 0 alone");
    }
    Ok(Place {
        named_by,
        addresses,
        is_cluster,
        database,
        login,
        uses_tls,
    })
}

fn read_login(text: &str) -> Result<Login, &'static str> {
    let decoded = |part: &str| match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok((!text.is_empty()).then(|| text.into_owned())),
        Err(_) => Err("its user or password is not UTF-8"),
    };
    let (username, password) = text.split_once(':').ok_or("its user has no password")?;
    let password = decoded(password)?.ok_or("its user has no password")?;
    Ok(Login {
        username: decoded(username)?,
        password: Some(Secret::new(password)),
    })
}

fn read_address(text: &str) -> Result<Address, &'static str> {
    let authority: Authority = text
        .parse()
        .map_err(|_| "a host or a port in it cannot be read")?;
    let host = authority.host();
    // An IPv6 address stands in brackets, for the colon before the port.
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let port = match authority.port() {
        None if authority.as_str() == host => PORT,
        None => return Err("a port in it is not a number from 1 to 65535"),
        Some(port) => port.as_u16(),
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    if port == 0 {
        return Err("a port in it is not a number from 1 to 65535");
    }
    Ok(Address {
        host: bare.unwrap_or(host).to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [(&str, &str); 0] = [];

    fn at(url: &str, more: &[(&str, &str)]) -> Result<Place, SettingError> {
        let url = HeldSecret {
            name: "LEDGER_URL",
            secret: Secret::new(url),
        };
        Place::at(&url, &env(more))
    }

    fn env(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn address(host: &str, port: u16) -> Address {
        Address {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_url_and_the_variables_say_the_same() {
        let variables = env(&[
            ("REDIS_HOST", "cache.example"),
            ("REDIS_PORT", "6380"),
            ("REDIS_DB", "3"),
            ("REDIS_USERNAME", "bill ing"),
            ("REDIS_PASSWORD", "p@ss:/?#é"),
            ("REDIS_TLS", "true"),
        ]);
        let url = at(
            "rediss://bill%20ing:p%40ss%3A%2F%3F%23%C3%A9@cache.example:6380/3",
            &NONE,
        );
        let from_variables = Place::read(&variables).unwrap();
        let url = url.unwrap();
        assert_eq!(url.login, from_variables.login);
        assert_eq!(
            Place {
                named_by: "",
                ..url
            },
            Place {
                named_by: "",
                ..from_variables
            }
        );
    }

    #[test]
    fn what_a_url_leaves_out_has_a_default() {
        let place = at("redis://h", &NONE).unwrap();
        assert_eq!(place.addresses, [address("h", 6379)]);
        assert_eq!((place.database, place.uses_tls), (0, false));
        assert_eq!(place.login, Login::default());
        let place = at("redis://:word@[::1]:7000/", &NONE).unwrap();
        assert_eq!(place.addresses, [address("::1", 7000)]);
        assert_eq!(place.login.username, None);
        assert_eq!(place.login.password, Some(Secret::new("word")));
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let place = at("rediss-cluster://u:p@a:7000,b,[::1]:7002", &NONE).unwrap();
        let addresses = [address("a", 7000), address("b", 6379), address("::1", 7002)];
        assert_eq!(place.addresses, addresses);
        assert!(place.is_cluster && place.uses_tls);
    }

    #[test]
    fn a_wrong_url_is_told_in_one_line_without_it() {
        for url in [
            "user:s3cret@host",
            "http://user:s3cret@host",
            "redis://user:s3cret@",
            "redis://user:s3cret@host:port",
            "redis://user:s3cret@host:0",
            "redis://user:s3cret@host:65536",
            "redis://user:s3cret@host:6379/x",
            "redis://user:s3cret@host:6379/-1",
            "redis://user:s3cret@host/0?protocol=3",
            "redis://user:s3/cret@host",
            "redis://user:s3?cret@host",
            "redis://user:s3#cret@host",
            "redis://user:%ffs3cret@host",
            "redis://s3cret@host",
            "redis://user:@host-s3cret",
            "redis://user:s3cret@host,host",
            "redis://user:s3cret@ho st",
            "redis-cluster://user:s3cret@host/1",
            "redis-cluster://user:s3cret@host,",
        ] {
            let error = at(url, &NONE).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(
                    !text.contains("s3") && !text.contains("cret"),
                    "{url}: {text}"
                );
                assert!(
                    !text.contains('\n') && text.contains("LEDGER_URL"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_url_and_a_variable_that_says_the_same_contradict_each_other() {
        for name in SAID_BY_A_URL {
            let error = at("redis://h", &[(name, "true")]).unwrap_err();
            let other = name;
            let name = "LEDGER_URL";
            assert_eq!(error, SettingError::Both { name, other });
        }
        assert!(at("redis://h", &[("REDIS_PORT", "tcp://10.0.0.7:6379")]).is_ok());
    }

    #[test]
    fn a_url_in_place_of_a_host_is_refused_and_not_shown() {
        for host in [
            "redis://u:s3cret@127.0.0.1",
            "u:s3cret@127.0.0.1",
            "s3cret host",
        ] {
            let error = Place::read(&env(&[("REDIS_HOST", host)])).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("REDIS_HOST") && !text.contains("s3cret"),
                "{text}"
            );
        }
    }

    #[test]
    fn variables_that_contradict_each_other_are_refused() {
        for (more, told) in [
            (&[("REDIS_USERNAME", "u")][..], "REDIS_PASSWORD"),
            (&[("REDIS_CLUSTER", "true"), ("REDIS_DB", "1")], "REDIS_DB"),
            (&[("REDIS_CLUSTER", "yes")], "REDIS_CLUSTER"),
            (&[("REDIS_TLS", "1")], "REDIS_TLS"),
            (
                &[("REDIS_PASSWORD", "s3cret"), ("REDIS_PASSWORD_FILE", "/x")],
                "REDIS_PASSWORD_FILE",
            ),
        ] {
            let variables = [&[("REDIS_HOST", "h")], more].concat();
            let error = Place::read(&env(&variables)).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{error}");
        }
    }
}
