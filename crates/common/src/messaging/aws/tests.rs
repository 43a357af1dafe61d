use std::sync::{Arc, Mutex};

use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::*;
use crate::runtime::Environment;

/// Takes every request for one that it refuses, and keeps where it went and
/// what region and service it is signed for.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<[String; 2]>>>);

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let signed = request.headers().get("authorization").unwrap_or_default();
        // Credential=<key>/<date>/<region>/<service>/aws4_request
        let scope: Vec<_> = signed.split('/').skip(2).take(2).collect();
        let mut requests = self.0.lock().unwrap();
        requests.push([request.uri().to_owned(), scope.join("/")]);
        let answer = HttpResponse::new(400.try_into().unwrap(), "{}".into());
        HttpConnectorFuture::ready(Ok(answer))
    }
}

impl Recorder {
    async fn aws(&self, variables: &[(&str, &str)]) -> Aws {
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "k")];
        // Whatever files the machine has.
        let profile = ("AWS_PROFILE", "no-such-profile");
        let variables = variables.iter().copied().chain(keys).chain([profile]);
        let environment: Environment = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let connector = SharedHttpConnector::new(self.clone());
        let http = Http {
            connector: connector.clone(),
            client: http_client_fn(move |_, _| connector.clone()),
        };
        Aws::over(http, &AwsSettings::read(&environment).unwrap()).await
    }

    fn only(&self) -> [String; 2] {
        let requests = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }
}

const SET: (&str, &str) = ("AWS_REGION", "eu-west-1");
const BOTH: [(&str, &str); 2] = [SET, ("AWS_DEFAULT_REGION", "sa-east-1")];

#[tokio::test]
async fn the_url_of_a_queue_says_where_it_is_asked_and_for_what_region() {
    let own = ("SQS_ENDPOINT_URL", "http://127.0.0.1:4567");
    let vpce = "https://vpce-1a-2b.sqs.sa-east-1.vpce.amazonaws.com";
    for (variables, host, endpoint, region) in [
        (
            &[][..],
            "https://sqs.sa-east-1.amazonaws.com",
            None,
            "sa-east-1",
        ),
        (
            &BOTH,
            "https://sqs.eu-west-1.amazonaws.com",
            None,
            "eu-west-1",
        ),
        (
            &BOTH[1..],
            "https://sqs.sa-east-1.amazonaws.com",
            None,
            "sa-east-1",
        ),
        (
            &[],
            "https://SQS.sa-east-1.amazonaws.com",
            Some("https://sqs.sa-east-1.amazonaws.com"),
            "sa-east-1",
        ),
        (
            &[],
            "https://sqs.cn-north-1.amazonaws.com.cn",
            None,
            "cn-north-1",
        ),
        (
            &[],
            "https://sqs.us-gov-west-1.amazonaws.com",
            None,
            "us-gov-west-1",
        ),
        (
            &[],
            "https://sqs-fips.us-east-2.amazonaws.com",
            None,
            "us-east-2",
        ),
        (&[], "https://sqs.sa-east-1.api.aws", None, "sa-east-1"),
        (
            &[],
            "https://queue.amazonaws.com",
            Some("https://sqs.us-east-1.amazonaws.com"),
            "us-east-1",
        ),
        (
            &[],
            "https://sa-east-1.queue.amazonaws.com",
            Some("https://sqs.sa-east-1.amazonaws.com"),
            "sa-east-1",
        ),
        (&[], vpce, None, "sa-east-1"),
        (&[], "https://sqs.example.com", None, "us-east-1"),
        (&[], "http://localhost:4566", None, "us-east-1"),
        (&[SET], "http://localhost:4566", None, "eu-west-1"),
        (
            &[own],
            "https://sqs.sa-east-1.amazonaws.com",
            Some("http://127.0.0.1:4567"),
            "sa-east-1",
        ),
        (&[own], vpce, Some("http://127.0.0.1:4567"), "sa-east-1"),
    ] {
        let recorder = Recorder::default();
        let aws = recorder.aws(variables).await;
        let url = format!("{host}/000000000000/q").parse().unwrap();
        aws.queue(&url).unwrap().probe().await.unwrap_err();
        let expected = format!("{}/", endpoint.unwrap_or(host));
        assert_eq!(
            recorder.only(),
            [expected, format!("{region}/sqs")],
            "{host}"
        );
    }
}

#[tokio::test]
async fn the_arn_of_a_topic_says_where_it_is_asked_and_for_what_region() {
    let own = ("SNS_ENDPOINT_URL", "http://127.0.0.1:4567");
    for (variables, partition, region, endpoint) in [
        (
            &[][..],
            "aws",
            "sa-east-1",
            "https://sns.sa-east-1.amazonaws.com/",
        ),
        (
            &[SET],
            "aws",
            "eu-west-1",
            "https://sns.eu-west-1.amazonaws.com/",
        ),
        (
            &[],
            "aws-cn",
            "cn-north-1",
            "https://sns.cn-north-1.amazonaws.com.cn/",
        ),
        (&[own], "aws", "sa-east-1", "http://127.0.0.1:4567/"),
    ] {
        let recorder = Recorder::default();
        let aws = recorder.aws(variables).await;
        let arn = format!("arn:{partition}:sns:{region}:000000000000:t");
        let topic = aws.topic(&arn.parse().unwrap()).unwrap();
        topic.probe().await.unwrap_err();
        assert_eq!(recorder.only(), [endpoint, &format!("{region}/sns")]);
    }
}

#[tokio::test]
async fn a_bucket_is_asked_in_the_region_that_was_set() {
    let own = ("S3_ENDPOINT_URL", "http://127.0.0.1:4567");
    for (variables, host, region) in [
        (
            &[][..],
            "https://files.s3.us-east-1.amazonaws.com",
            "us-east-1",
        ),
        (
            &[SET],
            "https://files.s3.eu-west-1.amazonaws.com",
            "eu-west-1",
        ),
        (&[SET, own], "http://127.0.0.1:4567/files", "eu-west-1"),
    ] {
        let recorder = Recorder::default();
        let aws = recorder.aws(variables).await;
        let url = "s3://files/a".parse().unwrap();
        let store = aws
            .bucket(&url, &BucketEncryption::OfTheBucket, None)
            .unwrap();
        store.head(&Path::from("a/b")).await.unwrap_err();
        let expected = [format!("{host}/a/b"), format!("{region}/s3")];
        assert_eq!(recorder.only(), expected);
    }
}

#[tokio::test]
async fn a_region_that_is_not_the_resources_is_refused_and_both_are_named() {
    let aws = Recorder::default().aws(&[SET]).await;
    for host in [
        "sqs.sa-east-1.amazonaws.com",
        "sa-east-1.queue.amazonaws.com",
        "vpce-1a-2b.sqs.sa-east-1.vpce.amazonaws.com",
    ] {
        let url = format!("https://{host}/000000000000/q").parse().unwrap();
        let error = aws.queue(&url).unwrap_err().to_string();
        assert!(
            error.starts_with("AWS_REGION is \"eu-west-1\"; it takes sa-east-1"),
            "{error}"
        );
        assert!(error.contains(host), "{error}");
    }
    let arn = "arn:aws:sns:sa-east-1:000000000000:t".parse().unwrap();
    let error = aws.topic(&arn).unwrap_err().to_string();
    assert!(
        error.contains("it takes sa-east-1, the region of SNS_TOPIC_ARN"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_a_code_is_told_by_its_status() {
    let aws = Recorder::default().aws(&[]).await;
    let queue = aws.queue(&"http://localhost:4566/0/q".parse().unwrap());
    let error = queue.unwrap().probe().await.unwrap_err().to_string();
    assert!(
        error.contains("http://localhost:4566 answered 400"),
        "{error}"
    );
}
