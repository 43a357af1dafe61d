//! A server of S3 with one bucket, in this process or outside it.

use std::net::SocketAddr;

use common::runtime::Environment;
use emulators::emulator::REGION;
use emulators::fault_proxy::FaultProxy;
use emulators::s3_server::S3Server;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use crate::external;

/// A server of S3 with a bucket of its own: in this process, or the one at the endpoint that
/// `TESTKIT_AWS_ENDPOINT_URL` names.
#[derive(Debug)]
pub struct BucketServer {
    endpoint: String,
    key: String,
    bucket: String,
    /// `None` where it is outside this process.
    embedded: Option<S3Server>,
}

impl BucketServer {
    /// Starts it, and makes the bucket.
    pub async fn start() -> Self {
        let bucket = format!("files-{:016x}", fastrand::u64(..));
        let Some(endpoint) = external::endpoint() else {
            let server = S3Server::start(&[&bucket]).await.expect("a server of S3");
            return Self {
                endpoint: server.endpoint_url(),
                key: "test".to_owned(),
                bucket,
                embedded: Some(server),
            };
        };
        let server = Self {
            endpoint,
            key: external::new_account(),
            bucket,
            embedded: None,
        };
        server.ask("PUT", "").await;
        server
    }

    /// The server that is in this process, if it is: what others cannot be told to do.
    pub fn embedded(&self) -> Option<&S3Server> {
        self.embedded.as_ref()
    }

    /// Name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What a client of it needs to know.
    pub fn environment(&self) -> Environment {
        self.environment_with(&[])
    }

    /// The same with other values.
    pub fn environment_with(&self, further: &[(&str, &str)]) -> Environment {
        let variables = [
            ("AWS_REGION", REGION),
            // Whatever files the machine has
            ("AWS_PROFILE", "no-such-profile"),
            ("AWS_ACCESS_KEY_ID", &self.key),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("S3_ENDPOINT_URL", &self.endpoint),
        ];
        let variables = variables.iter().chain(further);
        variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// A proxy before it, whose [`FaultProxy::url`] is the endpoint of those that use it.
    pub async fn proxy(&self) -> FaultProxy {
        let address = self.endpoint.split("://").nth(1);
        let address = address.and_then(|address| address.parse::<SocketAddr>().ok());
        let address = address.expect("an endpoint with an address and a port");
        FaultProxy::start(address).await.expect("a proxy")
    }

    /// How many uploads in parts there are that were neither completed nor aborted.
    pub async fn unfinished_uploads(&self) -> usize {
        match &self.embedded {
            Some(server) => server.unfinished_uploads().expect("its files"),
            None => self
                .ask("GET", "?uploads")
                .await
                .matches("<Upload>")
                .count(),
        }
    }

    /// What the server answers to a call about the bucket.
    async fn ask(&self, method: &str, query: &str) -> String {
        let url = format!("{}/{}{query}", self.endpoint, self.bucket);
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = url.parse().expect("a URL");
        let key = AwsCredential {
            key_id: self.key.clone(),
            secret_key: "test".to_owned(),
            token: None,
        };
        let authorizer = AwsAuthorizer::new(&key, "s3", REGION);
        let signed = authorizer.try_authorize(&mut request, Some(&EMPTY_SHA256));
        signed.expect("a signature");
        let client = reqwest::Client::new();
        let call = client.request(request.method().clone(), url);
        let answer = call.headers(request.headers().clone()).send().await;
        let answer = answer.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.text().await.expect("its text")
    }
}

/// Of no bytes at all.
const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
