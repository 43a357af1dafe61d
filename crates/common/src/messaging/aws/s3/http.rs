use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest as SdkRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use tokio::time::{error::Elapsed, timeout};

use super::signer::Signer;
use crate::messaging::refusal::blames_credentials;
use crate::runtime::with_causes;

/// Longest time of one attempt to its answer's end: 8 MiB at 2.3 Mbit/s.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// A 400 that says what a lost connection says, and that every SDK tries again.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const REQUEST_TIMEOUT: &str = "RequestTimeout";
/// Most bytes of an answer. The longest that is asked for is a range of a few
/// megabytes, or a page of a list.
const MOST: usize = 16 * 1024 * 1024;

/// The connections of the SDK, for `object_store`.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    connector: SharedHttpConnector,
    signer: Signer,
}

impl Connections {
    pub(super) fn new(connector: SharedHttpConnector, signer: Signer) -> Self {
        Self { connector, signer }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = request.map(body).try_into();
        let request: SdkRequest =
            request.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| failed(&error))?;
        let answer = answer.try_into_http1x();
        let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body = body.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?;
        let body = body.to_bytes();
        if head.status.is_client_error() {
            let code = code_of(&body);
            if blames_credentials(&code) {
                self.signer.forget();
            } else if code == REQUEST_TIMEOUT {
                let error = "S3 waited in vain for the rest of the request";
                return Err(HttpError::new_boxed(
                    HttpErrorKind::Interrupted,
                    error.into(),
                ));
            }
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

#[async_trait]
impl HttpService for Connections {
    /// Takes the whole answer, as time and retries are those of all of it.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_removal = request.method() == Method::DELETE;
        let answer = timeout(ATTEMPT_TIMEOUT, self.answer(request)).await;
        let answer = answer
            .map_err(|error: Elapsed| HttpError::new(HttpErrorKind::Timeout, error))
            .flatten();
        answer.map_err(|error| match error.kind() {
            // The store repeats a removal only if it was not sent. It may be
            // removed twice.
            HttpErrorKind::Interrupted | HttpErrorKind::Timeout if is_removal => {
                HttpError::new(HttpErrorKind::Request, error)
            }
            _ => error,
        })
    }
}

impl HttpConnector for Connections {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

fn body(body: HttpRequestBody) -> SdkBody {
    match body.as_bytes() {
        Some(bytes) => SdkBody::from(bytes.clone()),
        None => SdkBody::from_body_1_x(body),
    }
}

/// The code of a refusal; empty where there is none.
fn code_of(answer: &Bytes) -> String {
    let answer = String::from_utf8_lossy(answer);
    let code = answer.split_once("<Code>");
    let code = code.and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or_else(String::new, |(code, _)| code.to_owned())
}

fn failed(error: &ConnectorError) -> HttpError {
    let kind = if error.is_user() {
        HttpErrorKind::Unknown
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else {
        // It may have been sent: what must not be done twice is not repeated.
        HttpErrorKind::Interrupted
    };
    HttpError::new_boxed(kind, with_causes(error).into())
}
