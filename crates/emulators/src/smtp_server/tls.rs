use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::SmtpServerError;

/// A certificate that signs itself, and its key.
pub(super) struct Identity {
    certificate: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn make(is_authority: bool) -> Result<Self, SmtpServerError> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).map_err(|error| failed(&error))?;
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let cert = params.self_signed(&key).map_err(|error| failed(&error))?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            certificate: cert.pem(),
            acceptor: Arc::new(config).into(),
        })
    }

    /// In the PEM format.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn failed(error: &dyn std::error::Error) -> SmtpServerError {
    SmtpServerError::Certificate(error.to_string())
}
