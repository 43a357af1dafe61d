use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials as Keys;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::AwsMetrics;
use super::credentials::Credentials;
use super::metrics::OperationMetrics;
use super::signature::{Signer, TARGET};
use crate::messaging::CallError;
use crate::runtime::outage_backoff;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to one attempt of a call.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection shows within that time that its other end is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Attempts of a call whose connection breaks, or whose service is busy.
const ATTEMPTS: u32 = 3;

const AGENT: &str = concat!("billing-suite/", env!("CARGO_PKG_VERSION"));

/// Connections, over TLS where the URL says so. Cloning shares them.
#[derive(Clone)]
pub(super) struct Http(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Default for Http {
    fn default() -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_keepalive(Some(KEEPALIVE));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(https);
        Self(pool)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// Trusts what the system trusts. A system without certificates, such as a
/// small container beside an emulator, has no use for TLS either.
fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_or_else(
            |_| unreachable!("ring has the default protocol versions"),
            |builder| builder.with_root_certificates(roots).with_no_client_auth(),
        )
}

/// One service in one region. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    credentials: Credentials,
    signer: Signer,
    endpoint: Arc<Endpoint>,
    service: &'static str,
    /// Of the operations whose calls are observed.
    metrics: Arc<[OperationMetrics]>,
}

/// Where a service is.
#[derive(Debug)]
struct Endpoint {
    text: String,
    /// The address and its host, or why the text is none.
    address: Result<(Uri, HeaderValue), String>,
}

impl Endpoint {
    fn new(text: String) -> Self {
        let address = text.parse().map_err(|error: InvalidUri| error.to_string());
        let address = address.and_then(|uri: Uri| {
            let host = uri.authority().map_or("", |authority| authority.as_str());
            let host = HeaderValue::from_str(host).map_err(|error| error.to_string())?;
            Ok((uri, host))
        });
        Self { text, address }
    }
}

/// A call: the headers that name its form, and its body.
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) content_type: &'static str,
    /// The operation as a header, where the body does not name it.
    pub(super) target: Option<&'static str>,
    pub(super) body: Bytes,
    /// Longest wait for the answer to one attempt.
    pub(super) timeout: Duration,
}

/// What a service answered, for good or ill.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(
        http: Http,
        credentials: Credentials,
        service: &'static str,
        region: &str,
        endpoint: String,
    ) -> Self {
        Self {
            http,
            credentials,
            signer: Signer::new(service, region),
            endpoint: Arc::new(Endpoint::new(endpoint)),
            service,
            metrics: Arc::default(),
        }
    }

    /// The same client; its calls, of which these are expected, are observed.
    pub(super) fn observed(
        mut self,
        metrics: Option<&AwsMetrics>,
        operations: &[&'static str],
    ) -> Self {
        if let Some(metrics) = metrics {
            self.metrics = metrics.of(self.service, operations);
        }
        self
    }

    /// Makes a call, with a few attempts where the connection breaks or the
    /// service is busy.
    ///
    /// # Errors
    /// When no attempt was answered, or there are no credentials.
    pub(super) async fn post(&self, call: Call) -> Result<Answer, CallError> {
        let begun = Instant::now();
        let answer = self.attempts(&call).await;
        let mut metrics = self.metrics.iter();
        if let Some(metrics) = metrics.find(|metrics| metrics.operation == call.operation) {
            metrics.observe(begun.elapsed(), &answer);
        }
        answer
    }

    async fn attempts(&self, call: &Call) -> Result<Answer, CallError> {
        let mut backoff = outage_backoff();
        for _ in 1..ATTEMPTS {
            match self.attempt(call).await {
                Ok(answer) if !is_busy(answer.status) => return Ok(answer),
                _ => tokio::time::sleep(backoff.next_wait()).await,
            }
        }
        self.attempt(call).await
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, CallError> {
        let keys = self.credentials.keys().await?;
        let request = self.signed(call, &keys)?;
        let answered = async {
            let answer = self.http.0.request(request).await;
            let answer =
                answer.map_err(|error| CallError::caused_by(&self.endpoint.text, &error))?;
            let status = answer.status();
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| CallError::caused_by(&self.endpoint.text, &error))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        tokio::time::timeout(call.timeout, answered)
            .await
            .unwrap_or_else(|_| {
                let seconds = call.timeout.as_secs_f64();
                Err(self.unanswered(&format!("no answer in {seconds} s")))
            })
    }

    fn unanswered(&self, why: &str) -> CallError {
        CallError::new(format!("{}: {why}", self.endpoint.text))
    }

    /// The request of a call, signed.
    fn signed(&self, call: &Call, keys: &Keys) -> Result<Request<Full<Bytes>>, CallError> {
        let address = self.endpoint.address.as_ref();
        let (uri, host) = address.map_err(|why| self.unanswered(why))?;

        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(call.content_type));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(target) = call.target {
            headers.insert(TARGET, HeaderValue::from_static(target));
        }
        self.signer
            .sign(uri.path(), headers, &call.body, keys, SystemTime::now())
            .map_err(|error| CallError::caused_by(&self.endpoint.text, &*error))?;
        Ok(request)
    }
}

fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
