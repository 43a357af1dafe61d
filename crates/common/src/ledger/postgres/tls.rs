//! TLS to the server, with what its certificate must show.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{Authorities, ServerProof};
use crate::runtime::ServiceError;

/// What connects with TLS.
///
/// # Errors
/// When there are no authorities to check a certificate with.
pub(super) fn connector(proof: &ServerProof) -> Result<MakeRustlsConnect, ServiceError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(proof, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unsuitable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn unsuitable(error: &impl Display) -> ServiceError {
    ServiceError::Unsuitable(format!("TLS to PostgreSQL cannot be set up: {error}"))
}

fn roots(authorities: &Authorities) -> Result<RootCertStore, ServiceError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::OfSystem => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Authorities::InFile(file) => {
            let certificates = in_file(file).map_err(|error| unreadable(file, &error))?;
            roots.add_parsable_certificates(certificates);
        }
    }
    if !roots.is_empty() {
        return Ok(roots);
    }
    Err(match authorities {
        Authorities::OfSystem => unsuitable(
            &"this machine has no certificates of authorities; name a file of them with sslrootcert in LEDGER_URL",
        ),
        Authorities::InFile(file) => unreadable(file, &"it holds no certificate"),
    })
}

fn in_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}

fn unreadable(file: &Path, error: &impl Display) -> ServiceError {
    let file = file.display();
    ServiceError::Unsuitable(format!(
        "the file {file} cannot be used: {error}; check sslmode and sslrootcert in LEDGER_URL"
    ))
}

/// Checks of a certificate what the mode asks for. That the server holds its
/// key is checked in every mode.
#[derive(Debug)]
struct Verifier {
    /// Checks signer, time and name; `None` where nothing is asked for.
    whole: Option<Arc<WebPkiServerVerifier>>,
    /// The name counts.
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(proof: &ServerProof, provider: &Arc<CryptoProvider>) -> Result<Self, ServiceError> {
        let (authorities, checks_name) = match proof {
            ServerProof::None => (None, false),
            ServerProof::Authority(authorities) => (Some(authorities), false),
            ServerProof::AuthorityAndName(authorities) => (Some(authorities), true),
        };
        let verifier = |authorities| {
            let roots = Arc::new(roots(authorities)?);
            let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
            builder.build().map_err(|error| unsuitable(&error))
        };
        Ok(Self {
            whole: authorities.map(verifier).transpose()?,
            checks_name,
            provider: Arc::clone(provider),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(whole) = &self.whole else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            whole.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
