use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::credentials::{Credentials, with_sources};
use crate::messaging::CallError;
use crate::outage::outage_backoff;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to one attempt of a call.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection shows within that time that its other end is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Attempts of a call whose connection breaks, or whose service is busy.
const ATTEMPTS: u32 = 3;

const AGENT: &str = concat!("billing-suite/", env!("CARGO_PKG_VERSION"));

/// Names the operation of a service that speaks AWS JSON.
pub(super) const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

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
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .unwrap_or_else(|_| unreachable!("ring has the default protocol versions"))
}

/// One service in one region. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    credentials: Credentials,
    service: &'static str,
    region: Arc<str>,
    endpoint: Arc<str>,
}

/// A call: the headers that name its form, and its body.
pub(super) struct Call {
    pub(super) content_type: &'static str,
    /// The operation, where the body does not name it.
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
            service,
            region: region.into(),
            endpoint: endpoint.into(),
        }
    }

    /// Makes a call, with a few attempts where the connection breaks or the
    /// service is busy.
    ///
    /// # Errors
    /// When no attempt was answered, or there are no credentials.
    pub(super) async fn post(&self, call: Call) -> Result<Answer, CallError> {
        let mut backoff = outage_backoff();
        for _ in 1..ATTEMPTS {
            match self.attempt(&call).await {
                Ok(answer) if !is_busy(answer.status) => return Ok(answer),
                _ => tokio::time::sleep(backoff.next_wait()).await,
            }
        }
        self.attempt(&call).await
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, CallError> {
        let identity = self.credentials.identity().await?;
        let request = self.signed(call, &identity)?;
        let answered = async {
            let answer = self.http.0.request(request).await;
            let answer = answer.map_err(|error| self.unanswered(&with_sources(&error)))?;
            let status = answer.status();
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| self.unanswered(&with_sources(&error)))?;
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
        CallError::new(format!("{}: {why}", self.endpoint))
    }

    /// The request of a call, signed (AWS Signature Version 4).
    fn signed(&self, call: &Call, identity: &Identity) -> Result<Request<Full<Bytes>>, CallError> {
        let unsigned = |error: &dyn std::error::Error| self.unanswered(&with_sources(error));
        let uri: Uri = self.endpoint.parse().map_err(|error| unsigned(&error))?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(host).map_err(|error| unsigned(&error))?;

        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(call.content_type));
        if let Some(target) = call.target {
            headers.insert(TARGET, HeaderValue::from_static(target));
        }

        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let headers = request.headers().iter();
        let signable = SignableRequest::new(
            Method::POST.as_str(),
            &*self.endpoint,
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
            SignableBody::Bytes(&call.body),
        );
        let signed = signable.and_then(|signable| sign(signable, &params));
        let (instructions, _) = signed.map_err(|error| unsigned(&error))?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let agent = HeaderValue::from_static(AGENT);
        request.headers_mut().insert(USER_AGENT, agent);
        Ok(request)
    }
}

fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use rustack_auth::{StaticCredentialProvider, hash_payload, verify_sigv4};

    use super::*;
    use crate::service::AwsKeys;

    /// Whether somebody who knows that secret takes the request.
    async fn is_taken(endpoint: &str, session_token: Option<&str>, secret: &str) -> bool {
        let keys = AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: session_token.map(str::to_owned),
        };
        let credentials = Credentials::fixed(keys);
        let identity = credentials.identity().await.unwrap();
        let client = Client::new(
            Http::default(),
            credentials,
            "sqs",
            "sa-east-1",
            endpoint.to_owned(),
        );
        let call = Call {
            content_type: "application/x-amz-json-1.0",
            target: Some("AmazonSQS.SendMessageBatch"),
            body: Bytes::from_static("{\"MessageBody\":\"Zé & Cia\"}".as_bytes()),
            timeout: ATTEMPT_TIMEOUT,
        };
        let (request, _) = client.signed(&call, &identity).unwrap().into_parts();
        let known = [("AKIDEXAMPLE".to_owned(), secret.to_owned())];
        let provider = StaticCredentialProvider::new(known);
        verify_sigv4(&request, &hash_payload(&call.body), &provider).is_ok()
    }

    #[tokio::test]
    async fn who_checks_signatures_takes_a_call() {
        for endpoint in [
            "https://sqs.sa-east-1.amazonaws.com",
            "http://127.0.0.1:4566",
            "http://127.0.0.1:4566/",
        ] {
            assert!(is_taken(endpoint, None, "secret").await, "{endpoint}");
            assert!(is_taken(endpoint, Some("token"), "secret").await);
            assert!(!is_taken(endpoint, None, "another").await);
        }
    }
}
