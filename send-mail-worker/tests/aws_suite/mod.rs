//! An AWS of which tests see who asked it, and a proxy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use rcgen::{Certificate, KeyPair};
use serde_json::json;
use testkit::poll_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const LONG: Duration = Duration::from_secs(20);

/// SQS with an empty queue, and what gives credentials: STS, SSO, a container's
/// and an instance's endpoint. The key id says whose credentials they are.
pub(crate) struct Aws {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How far its clock is before that of the service.
    ahead: Duration,
    /// Key and region of each call of SQS that was answered.
    answered: Mutex<Vec<[String; 2]>>,
    /// The codes that keys are refused with.
    refused: Mutex<HashMap<String, &'static str>>,
    handshake_failed: Notify,
}

impl Aws {
    pub(crate) async fn start() -> Self {
        Self::ahead_by(Duration::ZERO).await
    }

    /// One whose clock is that far before ours.
    pub(crate) async fn ahead_by(ahead: Duration) -> Self {
        let shared = Arc::new(Shared {
            ahead,
            ..Shared::default()
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, shared }
    }

    /// One at `https://localhost`, with that certificate.
    pub(crate) async fn over_tls(certificate: &Certificate, key: &KeyPair) -> Self {
        let plain = Self::start().await;
        let upstream = plain.url.strip_prefix("http://").unwrap().to_owned();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let shared = Arc::clone(&plain.shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        shared.handshake_failed.notify_one();
                        return;
                    };
                    let mut upstream = TcpStream::connect(upstream).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
                });
            }
        });
        Self { url, ..plain }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Refuses calls that this key signs from now on.
    pub(crate) fn refuse(&self, key: &str, code: &'static str) {
        self.shared
            .refused
            .lock()
            .unwrap()
            .insert(key.to_owned(), code);
    }

    pub(crate) fn answered_to(&self, key: &str) -> bool {
        let answered = self.shared.answered.lock().unwrap();
        answered.iter().any(|[answered, _]| answered == key)
    }

    /// The regions that calls were signed for.
    pub(crate) fn regions(&self) -> Vec<String> {
        let answered = self.shared.answered.lock().unwrap();
        answered.iter().map(|[_, region]| region.clone()).collect()
    }

    /// Waits for somebody who does not trust it.
    pub(crate) async fn handshake_failed(&self) {
        let failed = self.shared.handshake_failed.notified();
        tokio::time::timeout(LONG, failed).await.unwrap();
    }
}

async fn answer(
    State(aws): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    const IN_AN_HOUR: &str = "2999-01-01T00:00:00Z";
    let keys = |id: &str| {
        json!({"Code": "Success", "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "token", "Expiration": IN_AN_HOUR})
            .to_string()
            .into_response()
    };
    match uri.path() {
        "/container" => keys("CONTAINER"),
        "/latest/api/token" => {
            let lasts = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
            (lasts, "a-token").into_response()
        }
        "/latest/meta-data/iam/security-credentials/" => "a-role".into_response(),
        "/latest/meta-data/iam/security-credentials/a-role" => keys("INSTANCE"),
        "/federation/credentials" => {
            let id = headers["x-amz-sso_bearer_token"].to_str().unwrap();
            let keys = json!({"accessKeyId": id, "secretAccessKey": "secret", "sessionToken": "token", "expiration": 32_472_144_000_000_u64});
            json!({"roleCredentials": keys}).to_string().into_response()
        }
        _ if headers.contains_key("x-amz-target") => aws.sqs(&headers),
        _ => {
            let form = String::from_utf8(body.to_vec()).unwrap();
            let token = form
                .split('&')
                .find_map(|field| field.strip_prefix("WebIdentityToken="));
            let Some(id) = token else {
                return StatusCode::NOT_FOUND.into_response();
            };
            format!("<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{IN_AN_HOUR}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>").into_response()
        }
    }
}

impl Shared {
    fn sqs(&self, headers: &HeaderMap) -> Response {
        let signed = headers[header::AUTHORIZATION].to_str().unwrap();
        // Credential=<key>/<date>/<region>/sqs/aws4_request
        let scope: Vec<_> = signed
            .split("Credential=")
            .nth(1)
            .unwrap()
            .split('/')
            .collect();
        let now = Timestamp::try_from(SystemTime::now() + self.ahead).unwrap();
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let signed_at = headers["x-amz-date"].to_str().unwrap();
        // As AWS does, within five minutes; the hour is exact enough here.
        let is_skewed =
            !self.ahead.is_zero() && !signed_at.starts_with(&now.strftime("%Y%m%dT%H").to_string());
        let code = self.refused.lock().unwrap().get(scope[0]).copied();
        let code = code.or(is_skewed.then_some("SignatureDoesNotMatch"));
        if let Some(code) = code {
            let error = format!("{code};Sender");
            let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "refused"});
            let headers = [("date", date), ("x-amzn-query-error", error)];
            return (StatusCode::FORBIDDEN, headers, body.to_string()).into_response();
        }
        let call = [scope[0].to_owned(), scope[2].to_owned()];
        self.answered.lock().unwrap().push(call);
        ([("date", date)], r#"{"Attributes":{}}"#).into_response()
    }
}

/// An HTTP proxy that keeps what it was asked for, and refuses it.
pub(crate) struct Proxy {
    url: String,
    asked: Arc<Mutex<Option<String>>>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(None));
        let keeps = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4_096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                *keeps.lock().unwrap() = head.lines().next().map(str::to_owned);
                let _ = stream
                    .write_all(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
                    .await;
            }
        });
        Self { url, asked }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// The first line of what it was asked.
    pub(crate) async fn asked_for(&self) -> String {
        poll_until("somebody to ask the proxy", LONG, async || {
            self.asked.lock().unwrap().clone()
        })
        .await
    }
}
