//! Certificates of a private authority, as files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// Certificates cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make certificates: {0}")]
pub struct CertificatesError(String);

/// Files in the PEM format, for a server at `localhost` or 127.0.0.1 and for who asks it. They are
/// removed when this is dropped.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes an authority, and a valid certificate of a server and of a client.
    pub fn make() -> Result<Self, CertificatesError> {
        Self::make_with(false)
    }

    /// The same, but that of the server is valid no longer.
    pub fn make_expired() -> Result<Self, CertificatesError> {
        Self::make_with(true)
    }

    fn make_with(expired: bool) -> Result<Self, CertificatesError> {
        let directory = tempfile::tempdir().map_err(|error| failed(&error))?;
        let certificates = Self { directory };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let authority =
            CertifiedIssuer::self_signed(params, key).map_err(|error| failed(&error))?;
        certificates.write("ca.pem", &authority.pem())?;
        for (name, is_valid) in [("server", !expired), ("client", true)] {
            let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).map_err(|error| failed(&error))?;
            params.distinguished_name.push(DnType::CommonName, name);
            if !is_valid {
                params.not_after = date_time_ymd(2020, 1, 1);
            }
            let key = KeyPair::generate().map_err(|error| failed(&error))?;
            let certificate = params
                .signed_by(&key, &authority)
                .map_err(|error| failed(&error))?;
            certificates.write(&format!("{name}.pem"), &certificate.pem())?;
            certificates.write(&format!("{name}.key"), &key.serialize_pem())?;
        }
        Ok(certificates)
    }

    /// The authority's own.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The certificate and the key of a server.
    pub fn server(&self) -> [PathBuf; 2] {
        ["server.pem", "server.key"].map(|name| self.path(name))
    }

    /// The certificate and the key of who asks it.
    pub fn client(&self) -> [PathBuf; 2] {
        ["client.pem", "client.key"].map(|name| self.path(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), CertificatesError> {
        let path: &Path = &self.path(name);
        fs::write(path, text).map_err(|error| failed(&error))
    }
}

fn failed(error: &dyn std::error::Error) -> CertificatesError {
    CertificatesError(error.to_string())
}
