use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

use super::TraceSettings;
use crate::runtime::ServiceError;

/// The connection to the collector. Whoever exports has a thread without a
/// runtime, so the connection lives on that of the service.
pub(super) struct Collector {
    http: HyperClient<HttpsConnector<HttpConnector>>,
    runtime: Handle,
}

impl Collector {
    /// The one of these settings. Nothing is sent yet. It is trusted by the
    /// certificates of the system, and reached without a proxy.
    pub(super) fn new(settings: &TraceSettings, runtime: Handle) -> Result<Self, ServiceError> {
        let mut roots = RootCertStore::empty();
        if settings.endpoint.starts_with("https:") {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ServiceError::Unsuitable(
                    "the collector of OTEL_EXPORTER_OTLP_ENDPOINT is reached by https, and there \
                     are no root certificates on this machine: install them (the package is often \
                     called ca-certificates)"
                        .to_owned(),
                ));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ServiceError::Unsuitable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            http: HyperClient::new(connector, settings.timeout, None),
            runtime,
        })
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let answer = self
            .runtime
            .spawn(async move { http.send_bytes(request).await });
        answer.await?
    }
}
