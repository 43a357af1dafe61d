use std::collections::VecDeque;
use std::sync::Mutex;

use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::result::ConnectorError;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::*;

/// What a request is answered: status and body; `None` is no answer.
type Answer = Option<(u16, &'static str)>;

/// What of a request is looked at: method and URL, signature, session token.
type Seen = [String; 3];

/// Answers as it is told, and then always with success.
#[derive(Clone, Debug, Default)]
struct Server(Arc<Mutex<(VecDeque<Answer>, Vec<Seen>)>>);

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
        let mut state = self.0.lock().unwrap();
        let seen = [
            format!("{} {}", request.method(), request.uri()),
            header("authorization"),
            header("x-amz-security-token"),
        ];
        state.1.push(seen);
        match state.0.pop_front().unwrap_or(Some((200, ""))) {
            None => {
                let lost = ConnectorError::io("the line is dead".into());
                HttpConnectorFuture::ready(Err(lost))
            }
            Some((status, body)) => {
                let mut answer = HttpResponse::new(status.try_into().unwrap(), body.into());
                answer.headers_mut().insert("etag", "\"tag\"");
                HttpConnectorFuture::ready(Ok(answer))
            }
        }
    }
}

/// Credentials whose session token counts how often they were asked for.
#[derive(Debug, Default)]
struct Rotating(Mutex<u32>);

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        let token = Some(format!("token-{asked}"));
        let credentials = Credentials::new("id", "secret", token, None, "test");
        future::ProvideCredentials::ready(Ok(credentials))
    }
}

impl Server {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let server = Self::default();
        server.0.lock().unwrap().0.extend(answers);
        server
    }

    fn store(&self, place: Place<'_>) -> Arc<dyn ObjectStore> {
        let provider = SharedCredentialsProvider::new(Rotating::default());
        let connector = SharedHttpConnector::new(self.clone());
        let store = place.store(&BucketEncryption::OfTheBucket, provider, connector);
        store.unwrap()
    }

    fn requests(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

fn place<'a>(url: &'a BucketUrl, region: &'a str) -> Place<'a> {
    Place {
        url,
        endpoint: None,
        region,
        use_fips: false,
        use_dual_stack: false,
    }
}

async fn put(store: &Arc<dyn ObjectStore>) -> object_store::Result<()> {
    let put = store.put(&Path::from("a"), "hello".into()).await;
    put.map(|_| ())
}

#[tokio::test]
async fn region_and_endpoint_say_where_a_bucket_is_asked() {
    let plain: BucketUrl = "s3://files/a".parse().unwrap();
    let dotted: BucketUrl = "s3://my.files".parse().unwrap();
    let of = |url, region| place(url, region);
    let own = Some("http://127.0.0.1:9000");
    let slash = Some("http://127.0.0.1:9000/");
    for (place, url) in [
        (
            of(&plain, "sa-east-1"),
            "https://files.s3.sa-east-1.amazonaws.com/a",
        ),
        (
            of(&dotted, "sa-east-1"),
            "https://s3.sa-east-1.amazonaws.com/my.files/a",
        ),
        (
            of(&plain, "cn-north-1"),
            "https://files.s3.cn-north-1.amazonaws.com.cn/a",
        ),
        (
            Place {
                use_fips: true,
                use_dual_stack: true,
                ..of(&plain, "us-gov-west-1")
            },
            "https://files.s3-fips.dualstack.us-gov-west-1.amazonaws.com/a",
        ),
        (
            Place {
                endpoint: own,
                ..of(&plain, "sa-east-1")
            },
            "http://127.0.0.1:9000/files/a",
        ),
        (
            Place {
                endpoint: slash,
                ..of(&plain, "sa-east-1")
            },
            "http://127.0.0.1:9000/files/a",
        ),
    ] {
        let server = Server::default();
        put(&server.store(place)).await.unwrap();
        let [[asked, signed, token]] = &server.requests()[..] else {
            panic!("more than one request");
        };
        assert_eq!(asked, &format!("PUT {url}"));
        assert!(signed.contains(&format!("/{}/s3/aws4_request", place.region)));
        assert_eq!(token, "token-1");
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_asked_for_again() {
    let refusal = "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>";
    let server = Server::answering([Some((200, "")), Some((400, refusal))]);
    let url = "s3://files".parse().unwrap();
    let store = server.store(place(&url, "us-east-1"));
    put(&store).await.unwrap();
    put(&store).await.unwrap_err();
    put(&store).await.unwrap();
    put(&store).await.unwrap();
    let tokens = server.requests().into_iter().map(|[_, _, token]| token);
    let tokens: Vec<_> = tokens.collect();
    assert_eq!(tokens, ["token-1", "token-1", "token-2", "token-2"]);
}

#[tokio::test]
async fn a_call_outlasts_a_lost_answer_and_a_fault_but_no_refusal() {
    let server = Server::answering([None, Some((503, "")), Some((200, ""))]);
    let url = "s3://files".parse().unwrap();
    let store = server.store(place(&url, "us-east-1"));
    put(&store).await.unwrap();
    assert_eq!(server.requests().len(), 3);

    let server = Server::answering([None, Some((204, ""))]);
    let store = server.store(place(&url, "us-east-1"));
    store.delete(&Path::from("a")).await.unwrap();
    assert_eq!(server.requests().len(), 2);

    let denied = "<Error><Code>AccessDenied</Code></Error>";
    let server = Server::answering([Some((403, denied))]);
    let store = server.store(place(&url, "us-east-1"));
    let error = put(&store).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_outage_is_told_with_its_cause_and_without_secrets() {
    let server = Server::answering([None; 20]);
    let url = "s3://files".parse().unwrap();
    let store = server.store(place(&url, "us-east-1"));
    tokio::time::pause();
    let error = put(&store).await.unwrap_err().to_string();
    assert!(error.contains("the line is dead"), "{error}");
    assert!(
        !error.contains("secret") && !error.contains("token"),
        "{error}"
    );
    assert_eq!(server.requests().len(), RETRIES + 1);
}
