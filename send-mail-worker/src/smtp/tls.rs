//! Whom the client trusts.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use thiserror::Error as ErrorOfSetup;

/// TLS cannot be set up with these settings on this machine.
#[derive(Debug, ErrorOfSetup)]
pub enum SmtpSetupError {
    /// Nothing could ever be trusted.
    #[error(
        "there are no root certificates on this machine: install them (the package is often \
         called ca-certificates), or set SMTP_CA_FILE"
    )]
    NoRoots,
    /// The file holds something that is no certificate.
    #[error("a certificate of SMTP_CA_FILE cannot be used: {0}")]
    Root(#[source] Error),
    /// No certificate can be for that name.
    #[error("SMTP_HOST is no name that a certificate can be for: {0}")]
    Host(#[from] InvalidDnsNameError),
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] Error),
    /// The roots.
    #[error("TLS cannot be set up: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// Who the server has to prove to be, and to whom.
pub(super) struct Trust {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Trust {
    /// In the server of that name, by the roots of the system and by the
    /// certificates of `SMTP_CA_FILE`.
    pub(super) fn of(host: &str, own: &[CertificateDer<'static>]) -> Result<Self, SmtpSetupError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(own.to_vec(), Arc::clone(&provider))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(host.to_owned())?,
        })
    }
}

/// How rustls names a server's certificate that may sign others.
const MAY_SIGN_OTHERS: &str = "CaUsedAsEndEntity";

/// Checks a certificate as rustls does, but also takes one that is itself in
/// `SMTP_CA_FILE`: `openssl req -x509` makes such as may sign others, which
/// no server's certificate should be able to, so that rustls takes none of
/// them for a server's.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        own: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, SmtpSetupError> {
        let mut roots = RootCertStore::empty();
        for certificate in &own {
            roots
                .add(certificate.clone())
                .map_err(SmtpSetupError::Root)?;
        }
        // Of the system's, what cannot be read cannot be trusted, that is all.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(SmtpSetupError::NoRoots);
        }
        let usual =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { usual, own })
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
        let usual = &self.usual;
        match usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Whether it has expired was asked before.
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string().contains(MAY_SIGN_OTHERS) =>
            {
                if !self.own.contains(end_entity) {
                    return Err(CertificateError::UnknownIssuer.into());
                }
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
