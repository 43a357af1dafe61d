//! What at start no waiting mends: a setting, the user or a certificate must
//! change. Later the same passes, as somebody is at it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use rustls::Error as TlsError;

use super::info::field;

/// The oldest major version with `SET … NX GET`.
const OLDEST_MAJOR: u32 = 7;

/// What to do about an error; `None` where it may pass.
pub(super) fn remedy(error: &RedisError) -> Option<&'static str> {
    let remedy = match error.kind() {
        ErrorKind::AuthenticationFailed => "check the user and the password",
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            "give the user the rights that docs/SETTINGS.md lists"
        }
        ErrorKind::Extension if error.code() == Some("NOAUTH") => "set its password",
        ErrorKind::InvalidClientConfig => {
            "check REDIS_CLIENT_CERT_FILE, REDIS_CLIENT_KEY_FILE and REDIS_CA_FILE"
        }
        // As redis-rs says what came of SELECT.
        ErrorKind::Server(ServerErrorKind::ResponseError)
            if error.to_string().contains("switch database") =>
        {
            "check the number of its database, and that the user may call SELECT"
        }
        _ => of_tls(tls_error(error)?),
    };
    Some(remedy)
}

/// That in an error of the network, if it is one of TLS.
fn tls_error(error: &RedisError) -> Option<&TlsError> {
    let shared: &Arc<dyn Error + Send + Sync> = error.source()?.downcast_ref()?;
    let network: &io::Error = shared.downcast_ref()?;
    network.get_ref()?.downcast_ref()
}

fn of_tls(error: &TlsError) -> &'static str {
    match error {
        TlsError::InvalidCertificate(_) => {
            "give it a certificate that is valid for this name, or set REDIS_CA_FILE"
        }
        TlsError::AlertReceived(_) => {
            "it may ask for REDIS_CLIENT_CERT_FILE and REDIS_CLIENT_KEY_FILE"
        }
        TlsError::InvalidMessage(_) => "it may speak without TLS",
        _ => "check its TLS",
    }
}

/// Whether what a server says of itself is what the promises need, for the
/// form that the settings name.
///
/// # Errors
/// What it is instead.
pub(super) fn check(info: &str, is_cluster: bool) -> Result<(), String> {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < OLDEST_MAJOR) {
        return Err(format!(
            "is of version {version}; it takes one of 7.0 or later"
        ));
    }
    match (is_cluster, field(info, "cluster_enabled") == Some("1")) {
        (true, false) => Err(
            "is not of a cluster; set REDIS_CLUSTER=false, or redis:// or rediss:// in LEDGER_URL"
                .to_owned(),
        ),
        (false, true) => Err("is a node of a cluster; set REDIS_CLUSTER=true, or \
             redis-cluster:// or rediss-cluster:// in LEDGER_URL"
            .to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_must_be_7_or_later() {
        assert!(check("# Server\r\nredis_version:7.0.15\r\n", false).is_ok());
        assert!(check("redis_version:10.1\r\n", false).is_ok());
        for info in ["redis_version:6.2.1\r\n", "redis_version:x\r\n", ""] {
            assert!(check(info, false).is_err());
        }
    }

    #[test]
    fn redis_must_be_of_the_form_that_the_settings_name() {
        for (enabled, is_cluster) in [("0", true), ("1", false)] {
            let info = format!("redis_version:7.0.15\r\ncluster_enabled:{enabled}\r\n");
            let error = check(&info, is_cluster).unwrap_err();
            assert!(
                error.contains(&format!("REDIS_CLUSTER={}", !is_cluster)),
                "{error}"
            );
            assert!(check(&info, !is_cluster).is_ok());
        }
    }
}
