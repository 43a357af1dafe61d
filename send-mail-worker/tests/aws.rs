//! What the AWS SDK brings, through the variables of a process: who signs, for
//! what region, by which way, trusting whom.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod aws_suite;

use std::time::Duration;

use aws_suite::{Aws, Proxy};
use rcgen::{CertificateParams, KeyPair};
use testkit::{RedisServer, ServiceProcess, assert_refuses, poll_until};

const BINARY: &str = env!("CARGO_BIN_EXE_send-mail-worker");
const LONG: Duration = Duration::from_secs(20);
const QUEUE: &str = "https://sqs.sa-east-1.amazonaws.com/000000000000/process-email";

type Variables = Vec<(&'static str, String)>;

/// What the service needs beside AWS.
fn base(redis: &RedisServer, queue: &str, home: &tempfile::TempDir) -> Variables {
    vec![
        ("SQS_QUEUE_URL", queue.to_owned()),
        ("SQS_WAIT_TIME_SECONDS", "0".to_owned()),
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PORT", redis.port().to_string()),
        ("HOME", home.path().to_str().unwrap().to_owned()),
    ]
}

fn keys(id: &str) -> Variables {
    vec![
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ]
}

fn start(variables: Variables) -> ServiceProcess {
    ServiceProcess::start(BINARY, "METRICS_PORT", variables)
}

/// Waits until a call that this key signed was answered.
async fn signs(aws: &Aws, key: &str) {
    poll_until(&format!("a call signed with {key}"), LONG, async || {
        aws.answered_to(key).then_some(())
    })
    .await;
}

async fn redis() -> RedisServer {
    RedisServer::start(None, None).await.unwrap()
}

#[tokio::test]
async fn each_source_of_credentials_signs() {
    let (aws, redis) = (Aws::start().await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let process = file(
        "process.json",
        r#"{"Version":1,"AccessKeyId":"PROCESS","SecretAccessKey":"secret"}"#,
    );
    // Its name is the SHA-1 of the URL below.
    file(
        ".aws/sso/cache/9ad544bfa11b39c042ecaec2e1b51e4dfb5ec648.json",
        r#"{"accessToken":"SSO","expiresAt":"2999-01-01T00:00:00Z","region":"sa-east-1","startUrl":"https://sso.example.com/start"}"#,
    );
    let config = file(
        "config",
        &format!(
            "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = secret\n\
             [profile named]\naws_access_key_id = NAMED\naws_secret_access_key = secret\n\
             [profile process]\ncredential_process = /bin/cat {process}\n\
             [profile sso]\nsso_start_url = https://sso.example.com/start\nsso_region = sa-east-1\n\
             sso_account_id = 1\nsso_role_name = mail\n"
        ),
    );
    let token = file("token", "WEB-IDENTITY");
    let profile = |name: &str| {
        vec![
            ("AWS_CONFIG_FILE", config.clone()),
            ("AWS_PROFILE", name.to_owned()),
        ]
    };
    let sso = [profile("sso"), vec![("AWS_ENDPOINT_URL_SSO", aws.url())]].concat();
    let web_identity = vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/mail".to_owned()),
        ("AWS_ENDPOINT_URL_STS", aws.url()),
    ];
    let container = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        aws.url() + "/container",
    );
    let instance = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.url());
    for (key, variables) in [
        ("VARIABLE", keys("VARIABLE")),
        // Empty, as compose files pass it.
        ("DEFAULT", profile("")),
        ("NAMED", profile("named")),
        ("PROCESS", profile("process")),
        ("SSO", sso),
        ("WEB-IDENTITY", web_identity),
        ("CONTAINER", vec![container]),
        ("INSTANCE", vec![instance]),
    ] {
        let own = vec![("SQS_ENDPOINT_URL", aws.url())];
        let _process = start([base(&redis, QUEUE, &home), own, variables].concat());
        signs(&aws, key).await;
    }
    assert!(aws.regions().iter().all(|region| region == "sa-east-1"));
}

#[tokio::test]
async fn a_token_that_comes_later_or_is_rotated_is_seen_without_a_restart() {
    let (aws, redis) = (Aws::start().await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    let variables = vec![
        ("SQS_ENDPOINT_URL", aws.url()),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            token.to_str().unwrap().to_owned(),
        ),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/mail".to_owned()),
        ("AWS_ENDPOINT_URL_STS", aws.url()),
    ];
    let process = start([base(&redis, QUEUE, &home), variables].concat());
    process.healthy().await;
    assert!(aws.regions().is_empty(), "nothing is signed yet");

    std::fs::write(&token, "FIRST").unwrap();
    signs(&aws, "FIRST").await;
    std::fs::write(&token, "SECOND").unwrap();
    aws.refuse("FIRST", "ExpiredToken");
    signs(&aws, "SECOND").await;
    process.terminate();
    let (status, output, _) = process.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(output.contains("ExpiredToken"), "{output}");
    // A try that fails is told once an outage, and not by the SDK each time.
    assert!(output.lines().count() < 12, "{output}");
}

#[tokio::test]
async fn a_file_of_keys_that_is_rotated_is_seen_without_a_restart() {
    let (aws, redis) = (Aws::start().await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("credentials");
    let write = |key: &str| {
        let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = secret\n");
        std::fs::write(&path, format!("[default]\n{keys}")).unwrap();
    };
    write("FIRST");
    let variables = vec![
        ("SQS_ENDPOINT_URL", aws.url()),
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            path.to_str().unwrap().to_owned(),
        ),
    ];
    let _process = start([base(&redis, QUEUE, &home), variables].concat());
    signs(&aws, "FIRST").await;
    write("SECOND");
    aws.refuse("FIRST", "InvalidClientTokenId");
    signs(&aws, "SECOND").await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_allowed_for() {
    let (aws, redis) = (Aws::ahead_by(Duration::from_hours(1)).await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let own = vec![("SQS_ENDPOINT_URL", aws.url())];
    let _process = start([base(&redis, QUEUE, &home), own, keys("VARIABLE")].concat());
    signs(&aws, "VARIABLE").await;
}

/// The proxy tells whom the service would reach, and passes nothing on.
#[tokio::test]
async fn calls_take_the_proxy_to_the_endpoint_that_the_variables_name() {
    let redis = redis().await;
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    let named = "[services own]\nsqs =\n  endpoint_url = https://sqs.example.net\n\
                 [profile named]\nservices = own\nregion = sa-east-1\n";
    std::fs::write(&config, named).unwrap();
    let profile = vec![
        ("AWS_CONFIG_FILE", config.to_str().unwrap().to_owned()),
        ("AWS_PROFILE", "named".to_owned()),
    ];
    let one = |name, value: &str| vec![(name, value.to_owned())];
    for (host, variables) in [
        ("sqs.sa-east-1.amazonaws.com", vec![]),
        (
            "sqs-fips.sa-east-1.amazonaws.com",
            one("AWS_USE_FIPS_ENDPOINT", "true"),
        ),
        (
            "sqs.sa-east-1.api.aws",
            one("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ),
        (
            "all.example.net",
            one("AWS_ENDPOINT_URL", "https://all.example.net"),
        ),
        (
            "one.example.net",
            one("AWS_ENDPOINT_URL_SQS", "https://one.example.net"),
        ),
        ("sqs.example.net", profile),
    ] {
        for name in ["HTTPS_PROXY", "https_proxy"] {
            let proxy = Proxy::start().await;
            let way = vec![(name, proxy.url()), ("NO_PROXY", "127.0.0.1".to_owned())];
            let base = base(&redis, QUEUE, &home);
            let _process = start([base, way, keys("VARIABLE"), variables.clone()].concat());
            assert_eq!(
                proxy.asked_for().await,
                format!("CONNECT {host}:443 HTTP/1.1")
            );
        }
    }
}

#[tokio::test]
async fn no_proxy_is_taken_to_where_none_should_be() {
    let (aws, redis) = (Aws::start().await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let proxy = Proxy::start().await;
    for name in ["NO_PROXY", "no_proxy"] {
        let way = vec![
            ("HTTP_PROXY", proxy.url()),
            (name, "127.0.0.1".to_owned()),
            ("SQS_ENDPOINT_URL", aws.url()),
        ];
        let _process = start([base(&redis, QUEUE, &home), way, keys(name)].concat());
        signs(&aws, name).await;
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let (aws, redis) = (Aws::over_tls(&certificate, &key).await, redis().await);
    let home = tempfile::tempdir().unwrap();
    let bundle = home.path().join("bundle.pem");
    std::fs::write(&bundle, certificate.pem()).unwrap();
    let trusted = vec![("AWS_CA_BUNDLE", bundle.to_str().unwrap().to_owned())];
    for (key, bundle) in [("STRANGER", vec![]), ("TRUSTED", trusted)] {
        let own = vec![("SQS_ENDPOINT_URL", aws.url())];
        let base = base(&redis, QUEUE, &home);
        let process = start([base, own, keys(key), bundle.clone()].concat());
        if bundle.is_empty() {
            aws.handshake_failed().await;
        } else {
            signs(&aws, key).await;
        }
        drop(process);
    }
    assert!(!aws.answered_to("STRANGER"));
}

#[tokio::test]
async fn settings_that_cannot_be_right_end_it_with_64() {
    let redis = redis().await;
    let home = tempfile::tempdir().unwrap();
    let variables = [base(&redis, QUEUE, &home), keys("VARIABLE")].concat();
    let fifo = format!("{QUEUE}.fifo");
    let wrong = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_CA_BUNDLE", "no/such/bundle.pem"),
        ("AWS_ENDPOINT_URL", "localhost"),
        ("AWS_ENDPOINT_URL_SQS", "localhost"),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("SQS_QUEUE_URL", &fifo),
    ];
    assert_refuses(BINARY, "METRICS_PORT", &variables, &wrong).await;
    let own = ("SQS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned());
    let variables = [variables, vec![own]].concat();
    let wrong = [
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ];
    assert_refuses(BINARY, "METRICS_PORT", &variables, &wrong).await;
}
