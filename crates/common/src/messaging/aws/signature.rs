//! AWS Signature Version 4 of the one form that our requests have: POST, no
//! query, a body in memory
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Names the operation of a service that speaks AWS JSON.
pub(super) const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The headers that are signed, where they are there, in the order in which
/// they are signed: that of the alphabet.
const SIGNED: [HeaderName; 5] = [CONTENT_TYPE, HOST, DATE, TOKEN, TARGET];

/// Signs requests to one service in one region. Cloning shares the key, which
/// is derived once a day.
#[derive(Clone)]
pub(super) struct Signer {
    service: &'static str,
    region: Arc<str>,
    key: Arc<Mutex<Option<DayKey>>>,
}

#[derive(Clone)]
struct DayKey {
    day: String,
    access_key_id: String,
    key: Arc<[u8]>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("service", &self.service)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(service: &'static str, region: &str) -> Self {
        Self {
            service,
            region: region.into(),
            key: Arc::default(),
        }
    }

    /// Adds the headers that sign a request to that path with that body.
    pub(super) fn sign(
        &self,
        path: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        keys: &Keys,
        now: SystemTime,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let time = Timestamp::try_from(now)?.strftime("%Y%m%dT%H%M%SZ");
        let time = time.to_string();
        let day = &time[..8];
        headers.insert(DATE, HeaderValue::from_str(&time)?);
        if let Some(token) = keys.session_token() {
            headers.insert(TOKEN, HeaderValue::from_str(token)?);
        }

        let mut canonical = String::with_capacity(512);
        let mut names = String::with_capacity(64);
        canonical.push_str("POST\n");
        canonical.push_str(path);
        canonical.push_str("\n\n");
        for name in &SIGNED {
            if let Some(value) = headers.get(name) {
                canonical.push_str(name.as_str());
                canonical.push(':');
                canonical.push_str(value.to_str()?.trim());
                canonical.push('\n');
                if !names.is_empty() {
                    names.push(';');
                }
                names.push_str(name.as_str());
            }
        }
        canonical.push('\n');
        canonical.push_str(&names);
        canonical.push('\n');
        canonical.push_str(&hex::encode(Sha256::digest(body)));

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let canonical = hex::encode(Sha256::digest(canonical));
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{canonical}");
        let signature = calculate_signature(self.key(day, keys, now), text.as_bytes());
        let id = keys.access_key_id();
        let authorization = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization)?);
        Ok(())
    }

    fn key(&self, day: &str, keys: &Keys, now: SystemTime) -> Arc<[u8]> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let current = known
            .as_ref()
            .filter(|known| known.day == day && known.access_key_id == keys.access_key_id());
        if let Some(current) = current {
            return Arc::clone(&current.key);
        }
        let key = generate_signing_key(keys.secret_access_key(), now, &self.region, self.service);
        let key: Arc<[u8]> = key.as_ref().into();
        *known = Some(DayKey {
            day: day.to_owned(),
            access_key_id: keys.access_key_id().to_owned(),
            key: Arc::clone(&key),
        });
        key
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use rustack_auth::{StaticCredentialProvider, hash_payload, verify_sigv4};

    use super::*;

    const BODY: &[u8] = "{\"MessageBody\":\"Zé & Cia\"}".as_bytes();

    fn keys(id: &str, secret: &str, token: Option<&str>) -> Keys {
        Keys::new(id, secret, token.map(str::to_owned), None, "test")
    }

    /// Whether who knows these keys takes a request that is signed by
    /// `signer` at that time.
    fn is_taken(signer: &Signer, path: &str, own: &Keys, known: &Keys, now: SystemTime) -> bool {
        let mut request = Request::post(path).body(()).unwrap();
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:4566"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(TARGET, HeaderValue::from_static("AmazonSQS.SendMessage"));
        signer.sign(path, headers, BODY, own, now).unwrap();
        let (request, ()) = request.into_parts();
        let known = [(
            known.access_key_id().to_owned(),
            known.secret_access_key().to_owned(),
        )];
        let provider = StaticCredentialProvider::new(known);
        verify_sigv4(&request, &hash_payload(BODY), &provider).is_ok()
    }

    #[test]
    fn who_checks_signatures_takes_a_request() {
        let signer = Signer::new("sqs", "sa-east-1");
        let own = keys("AKIDEXAMPLE", "secret", None);
        let now = SystemTime::now();
        for path in ["/", "/base/"] {
            assert!(is_taken(&signer, path, &own, &own, now), "{path}");
        }
        let temporary = keys("AKIDEXAMPLE", "secret", Some("a token"));
        assert!(is_taken(&signer, "/", &temporary, &own, now));
        let forged = keys("AKIDEXAMPLE", "another", None);
        assert!(!is_taken(&signer, "/", &own, &forged, now));
    }

    #[test]
    fn another_day_and_other_keys_have_another_signing_key() {
        let signer = Signer::new("sqs", "sa-east-1");
        let (first, second) = (keys("A", "a", None), keys("B", "b", None));
        let day = Duration::from_hours(24);
        for now in [SystemTime::now(), SystemTime::now() - day] {
            for keys in [&first, &second, &first] {
                assert!(is_taken(&signer, "/", keys, keys, now));
            }
        }
    }

    /// As AWS's own crate signs the same request.
    #[test]
    fn the_signature_is_that_of_aws() {
        use aws_sigv4::http_request as whole;
        let own = keys("AKIDEXAMPLE", "secret", Some("token"));
        let now = SystemTime::now();
        let mut headers = HeaderMap::new();
        headers.insert(
            HOST,
            HeaderValue::from_static("sns.sa-east-1.amazonaws.com"),
        );
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let signable: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let identity = own.clone().into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("sa-east-1")
            .name("sns")
            .time(now)
            .settings(whole::SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let uri = "https://sns.sa-east-1.amazonaws.com/";
        let body = whole::SignableBody::Bytes(BODY);
        let request = whole::SignableRequest::new("POST", uri, signable.into_iter(), body).unwrap();
        let theirs = whole::sign(request, &params).unwrap();

        let signer = Signer::new("sns", "sa-east-1");
        signer.sign("/", &mut headers, BODY, &own, now).unwrap();
        let authorization = headers[AUTHORIZATION].to_str().unwrap();
        assert!(
            authorization.ends_with(theirs.signature()),
            "{authorization}"
        );
    }
}
