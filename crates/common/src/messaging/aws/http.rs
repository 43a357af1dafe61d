use aws_sdk_sqs::config::SharedHttpClient;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};

use super::CONNECT_TIMEOUT;

/// The connections, as the SDK's clients take them, and as they are.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) client: SharedHttpClient,
    pub(super) connector: SharedHttpConnector,
}

/// The connections of all clients, and of the chain of credentials: through
/// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case, and trusting
/// the certificates of a bundle in PEM alone, or else the system's.
pub(super) fn client(ca_bundle: Option<&[u8]>) -> Http {
    let context = TlsContext::builder()
        .with_trust_store(trusted(ca_bundle))
        .build()
        .unwrap_or_default();
    let connector = move |settings: HttpConnectorSettings| {
        let connector = Connector::builder()
            .connector_settings(settings)
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone());
        SharedHttpConnector::new(connector.build())
    };
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT);
    let lasting = connector(settings.build());
    let shared = lasting.clone();
    // What instances and containers are asked for credentials has shorter
    // timeouts; that is seldom, and needs no connection that lasts.
    let client = http_client_fn(move |settings, _| {
        if settings.connect_timeout() == Some(CONNECT_TIMEOUT) && settings.read_timeout().is_none()
        {
            shared.clone()
        } else {
            connector(settings.clone())
        }
    });
    Http {
        client,
        connector: lasting,
    }
}

/// A system without certificates, such as a small container beside an
/// emulator, has no use for TLS; the SDK takes none for a fault.
fn trusted(ca_bundle: Option<&[u8]>) -> TrustStore {
    match ca_bundle {
        Some(pem) => TrustStore::empty().with_pem_certificate(pem),
        None if rustls_native_certs::load_native_certs().certs.is_empty() => TrustStore::empty(),
        None => TrustStore::default(),
    }
}
