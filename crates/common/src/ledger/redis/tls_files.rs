//! The files that TLS with Redis takes.

use std::fs;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::runtime::{Environment, Secret, SettingError, wrong};

const CA_FILE: &str = "REDIS_CA_FILE";
const CERT_FILE: &str = "REDIS_CLIENT_CERT_FILE";
const KEY_FILE: &str = "REDIS_CLIENT_KEY_FILE";

/// Contents of the files, as PEM.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsFiles {
    /// Certificates that are trusted instead of the system's.
    pub(super) authorities: Option<String>,
    /// Who asks, for a server that wants to know.
    pub(super) client: Option<ClientFiles>,
}

#[derive(Clone, Debug)]
pub(super) struct ClientFiles {
    pub(super) certificate: String,
    pub(super) key: Secret,
}

impl TlsFiles {
    /// Reads the variables and the files, which only TLS has a use for.
    pub(super) fn read(env: &Environment, uses_tls: bool) -> Result<Self, SettingError> {
        let set = [CA_FILE, CERT_FILE, KEY_FILE].map(|name| env.get(name).is_some());
        if let (false, Some(index)) = (uses_tls, set.iter().position(|is_set| *is_set)) {
            return Err(SettingError::Alone {
                name: [CA_FILE, CERT_FILE, KEY_FILE][index],
                needs: "TLS: REDIS_TLS=true, or rediss:// in LEDGER_URL",
            });
        }
        let [_, has_certificate, has_key] = set;
        if has_certificate != has_key {
            let (name, needs) = if has_key {
                (KEY_FILE, CERT_FILE)
            } else {
                (CERT_FILE, KEY_FILE)
            };
            return Err(SettingError::Alone { name, needs });
        }
        let certificate = file(env, CERT_FILE, check_certificates)?;
        let key = file(env, KEY_FILE, check_key)?;
        let client = certificate.zip(key).map(|(certificate, key)| ClientFiles {
            certificate,
            key: Secret::new(key),
        });
        Ok(Self {
            authorities: file(env, CA_FILE, check_authorities)?,
            client,
        })
    }
}

/// Text of a file that `check` takes.
fn file(
    env: &Environment,
    name: &'static str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Option<String>, SettingError> {
    let Some(path) = env.get(name) else {
        return Ok(None);
    };
    let read = fs::read_to_string(path).map_err(|error| error.to_string());
    let checked = read.and_then(|text| check(&text).map(|()| text));
    checked.map(Some).map_err(|why| {
        let takes = format!("the path of a file in the PEM format; {why}");
        wrong(name, path, &takes)
    })
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = read.map_err(|error| error.to_string())?;
    match certificates.len() {
        0 => Err("it has no certificate".to_owned()),
        _ => Ok(certificates),
    }
}

fn check_certificates(text: &str) -> Result<(), String> {
    certificates(text).map(drop)
}

fn check_authorities(text: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    let mut added = certificates(text)?
        .into_iter()
        .map(|certificate| roots.add(certificate));
    added
        .try_for_each(|added| added)
        .map_err(|error| error.to_string())
}

/// What is wrong with a key is not told by its text.
fn check_key(text: &str) -> Result<(), String> {
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err("it has no private key that can be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(variables: &[(&str, &str)], uses_tls: bool) -> String {
        let env: Environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        TlsFiles::read(&env, uses_tls).unwrap_err().to_string()
    }

    #[test]
    fn files_are_refused_that_would_have_no_effect() {
        for name in [CA_FILE, CERT_FILE, KEY_FILE] {
            let line = error(&[(name, "/x")], false);
            assert!(line.contains(name) && line.contains("REDIS_TLS"), "{line}");
        }
        for (name, needs) in [(CERT_FILE, KEY_FILE), (KEY_FILE, CERT_FILE)] {
            let line = error(&[(name, "/x")], true);
            assert!(line.contains(name) && line.contains(needs), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_holds_something_else_is_named() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for path in ["/nowhere", here] {
            for more in [
                &[(CA_FILE, path)][..],
                &[(CERT_FILE, path), (KEY_FILE, path)],
            ] {
                let line = error(more, true);
                assert!(line.contains(path) && line.contains(more[0].0), "{line}");
                assert!(!line.contains('\n'), "{line}");
            }
        }
    }
}
