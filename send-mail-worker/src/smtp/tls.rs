//! Whom the client trusts.

use std::sync::Arc;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_rustls::TlsConnector;

use super::settings::{SmtpSettings, TlsMode};

/// TLS cannot be set up with these settings on this machine.
#[derive(Debug, Error)]
pub enum SmtpSetupError {
    /// Nothing could ever be trusted.
    #[error(
        "there are no root certificates on this machine: install them (the package is often \
         called ca-certificates), or set SMTP_CA_FILE"
    )]
    NoRoots,
    /// The file holds something that is no certificate of an authority.
    #[error("a certificate of SMTP_CA_FILE cannot be used: {0}")]
    Root(#[source] rustls::Error),
    /// No certificate can be for that name.
    #[error("SMTP_HOST is no name that a certificate can be for: {0}")]
    Host(#[from] InvalidDnsNameError),
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// TLS by way of STARTTLS.
    #[error("TLS cannot be set up: {0}")]
    StartTls(#[from] SmtpError),
}

/// How a connection becomes a secure one.
pub(super) enum Security {
    /// Not at all.
    None,
    /// On demand, by lettre.
    StartTls(TlsParameters),
    /// From the first byte. lettre's own way would leave Nagle's algorithm on.
    Implicit(TlsConnector, ServerName<'static>),
}

impl Security {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, SmtpSetupError> {
        match settings.tls {
            TlsMode::None => Ok(Self::None),
            TlsMode::StartTls => {
                // lettre would take the roots of the system by itself, and
                // not say when there are none.
                let mut parameters = TlsParameters::builder(settings.host.clone())
                    .certificate_store(CertificateStore::None);
                for root in Roots::load(&settings.extra_roots)?.certificates {
                    parameters =
                        parameters.add_root_certificate(Certificate::from_der(root.to_vec())?);
                }
                Ok(Self::StartTls(parameters.build()?))
            }
            TlsMode::Implicit => {
                let roots = Roots::load(&settings.extra_roots)?;
                let config =
                    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                        .with_safe_default_protocol_versions()?
                        .with_root_certificates(roots.store)
                        .with_no_client_auth();
                let name = ServerName::try_from(settings.host.clone())?;
                Ok(Self::Implicit(Arc::new(config).into(), name))
            }
        }
    }
}

/// The roots of the system and those of `SMTP_CA_FILE`.
struct Roots {
    store: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Roots {
    fn load(extra: &[CertificateDer<'static>]) -> Result<Self, SmtpSetupError> {
        let mut store = RootCertStore::empty();
        let mut certificates = Vec::new();
        for root in extra {
            store.add(root.clone()).map_err(SmtpSetupError::Root)?;
            certificates.push(root.clone());
        }
        // Of the system's, what cannot be read cannot be trusted, that is all.
        for root in rustls_native_certs::load_native_certs().certs {
            if store.add(root.clone()).is_ok() {
                certificates.push(root);
            }
        }
        if certificates.is_empty() {
            return Err(SmtpSetupError::NoRoots);
        }
        Ok(Self {
            store,
            certificates,
        })
    }
}
