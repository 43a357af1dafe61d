//! Who receives the events.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{Method, Request};
use common::ledger::NewEvent;
use common::runtime::{ServiceError, with_causes};
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tower_service::Service;

use super::answer::Answer;
use super::reach::Reach;
use super::secrets::SigningSecrets;
use super::settings::{HiddenUrl, WebhookPace, WebhookSettings};

/// Longest wait for a connection, of the time of an attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that is not used for that long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Who sends.
const SENDER: &str = concat!("billing-suite/", env!("CARGO_PKG_VERSION"));

type Http = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// Who receives the events. No redirect is followed, no proxy is used, and of
/// an answer nothing but the head is read.
#[derive(Debug)]
pub struct Receiver {
    http: Http,
    url: HiddenUrl,
    secrets: SigningSecrets,
    pub(super) pace: WebhookPace,
}

impl Receiver {
    /// The one of these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ServiceError::Unsuitable`] where it is reached by TLS and this machine
    /// trusts nobody.
    pub fn new(settings: &WebhookSettings) -> Result<Self, ServiceError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() && settings.url.0.scheme_str() == Some("https") {
            return Err(ServiceError::Unsuitable(
                "WEBHOOK_URL is an https URL, and there are no root certificates on this machine: \
                 install them (the package is often called ca-certificates)"
                    .to_owned(),
            ));
        }
        Self::trusting(settings, roots)
    }

    fn trusting(settings: &WebhookSettings, roots: RootCertStore) -> Result<Self, ServiceError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ServiceError::Unsuitable(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut connector = HttpConnector::new_with_resolver(Resolver(settings.reach));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            http,
            url: settings.url.clone(),
            secrets: settings.secrets.clone(),
            pace: settings.pace.clone(),
        })
    }

    /// Tries to deliver an event, once.
    pub(super) async fn deliver(&self, event: &NewEvent) -> Answer {
        let request = match self.request(event, Timestamp::now()) {
            Ok(request) => request,
            Err(error) => return Answer::none(error.to_string()),
        };
        match timeout(self.pace.attempt, self.http.request(request)).await {
            Ok(Ok(answer)) => Answer::of(answer.status(), answer.headers(), Timestamp::now()),
            Ok(Err(error)) => Answer::none(with_causes(&error)),
            Err(_) => Answer::none("it did not answer in time"),
        }
    }

    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#webhook-headers-sending-metadata-to-consumers>
    fn request(
        &self,
        event: &NewEvent,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, axum::http::Error> {
        let (id, timestamp) = (event.id.to_string(), now.as_second());
        let signature = self.secrets.sign(&id, timestamp, &event.body);
        Request::builder()
            .method(Method::POST)
            .uri(self.url.0.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, SENDER)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(event.body.clone().into())
    }
}

/// Looks names up, and keeps what may not be reached from whoever connects.
/// The connector itself takes an address, of which the settings have judged.
#[derive(Clone, Debug)]
struct Resolver(Reach);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = found.filter(|address| reach.allows(address.ip()));
            let allowed: Vec<SocketAddr> = allowed.collect();
            if allowed.is_empty() {
                return Err(io::Error::other(reach.refusal()));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use common::runtime::Environment;
    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use testkit::Certificates;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// Takes connections with TLS, and says yes to each. Gives its port.
    async fn server(certificates: &Certificates) -> u16 {
        let [certificate, key] = certificates.server();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let Ok(mut connection) = acceptor.accept(connection).await else {
                    continue;
                };
                let mut request = [0; 4096];
                drop(connection.read(&mut request).await);
                drop(connection.write_all(b"HTTP/1.1 204 A\r\n\r\n").await);
            }
        });
        port
    }

    async fn answer(port: u16, roots: RootCertStore) -> Answer {
        let url = format!("https://localhost:{port}/");
        let variables = [
            ("WEBHOOK_URL", &*url),
            ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("WEBHOOK_ALLOW_PRIVATE", "true"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment: Environment = variables.into_iter().collect();
        let settings = WebhookSettings::read(&environment).unwrap().unwrap();
        let receiver = Receiver::trusting(&settings, roots).unwrap();
        let event = NewEvent {
            id: uuid::Uuid::nil(),
            kind: "import.completed".to_owned(),
            body: "{}".to_owned(),
        };
        receiver.deliver(&event).await
    }

    #[tokio::test]
    async fn a_receiver_must_prove_who_it_is() {
        let certificates = Certificates::make().unwrap();
        let authority = CertificateDer::from_pem_file(certificates.authority()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let port = server(&certificates).await;
        assert_eq!(answer(port, roots.clone()).await, Answer::Delivered);
        let untrusted = answer(port, RootCertStore::empty()).await;
        assert!(matches!(untrusted, Answer::Failed { .. }), "{untrusted:?}");
        let expired = Certificates::make_expired().unwrap();
        let port = server(&expired).await;
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(expired.authority()).unwrap())
            .unwrap();
        let Answer::Failed { why, .. } = answer(port, roots).await else {
            panic!("an expired certificate is taken");
        };
        assert!(why.contains("xpired"), "{why}");
    }
}
