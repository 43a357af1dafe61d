//! Who gets to a Redis with a password, TLS and rights, and what who does not is told.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod documented_user;

use std::io::Write;
use std::path::Path;

use common::ledger::{AnyLedger, LedgerSettings, SharedLedger};
use common::runtime::{Environment, ServiceError};
use documented_user::{ENCODED, PASSWORD, documented_user, set_user};
use testkit::{AsksClients, Certificates, RedisServer, SecureRedis, ledger_conformance};

async fn connect(variables: &[(&str, &str)]) -> Result<SharedLedger, ServiceError> {
    let once = [("REDIS_CONNECTION_MAX_RETRIES", "0")];
    let environment: Environment = variables
        .iter()
        .chain(&once)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let settings = LedgerSettings::read(&environment)?;
    let debug = format!("{settings:?}");
    assert!(
        !debug.contains("s3cret") && !debug.contains("PRIVATE KEY"),
        "{debug}"
    );
    settings.connect(None).await
}

/// The line that ends a service which must have other settings.
async fn refusal(variables: &[(&str, &str)]) -> String {
    let error = connect(variables).await.unwrap_err();
    assert!(matches!(error, ServiceError::Unsuitable(_)), "{error:?}");
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("s3cret"), "{line}");
    line
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn url(redis: &SecureRedis, login: &str) -> String {
    format!("rediss://{login}@127.0.0.1:{}", redis.tls_port())
}

/// With TLS, the documented rights, and no others.
async fn empty_secure_redis() -> (SharedLedger, (SecureRedis, Certificates)) {
    let certificates = Certificates::make().unwrap();
    let redis = SecureRedis::start(&certificates, AsksClients::Never)
        .await
        .unwrap();
    let login = set_user(redis.server(), "").await;
    let (url, authority) = (url(&redis, &login), certificates.authority());
    let variables = [("LEDGER_URL", &*url), ("REDIS_CA_FILE", text(&authority))];
    let ledger = connect(&variables).await.unwrap();
    (ledger, (redis, certificates))
}

ledger_conformance!(empty_secure_redis);

#[tokio::test]
async fn the_variables_and_a_mounted_secret_lead_to_it_as_well() {
    let certificates = Certificates::make().unwrap();
    let redis = SecureRedis::start(&certificates, AsksClients::Always)
        .await
        .unwrap();
    let login = set_user(redis.server(), "").await;
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    writeln!(secret, "{PASSWORD}").unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{}\r\n", url(&redis, &login)).unwrap();
    let (port, authority) = (redis.tls_port().to_string(), certificates.authority());
    let [certificate, key] = certificates.client();
    let of_the_client = [
        ("REDIS_CA_FILE", text(&authority)),
        ("REDIS_CLIENT_CERT_FILE", text(&certificate)),
        ("REDIS_CLIENT_KEY_FILE", text(&key)),
    ];
    for place in [
        &[
            ("REDIS_HOST", "localhost"),
            ("REDIS_PORT", &port),
            ("REDIS_USERNAME", &documented_user().0),
            ("REDIS_PASSWORD_FILE", text(secret.path())),
            ("REDIS_TLS", "true"),
        ][..],
        &[("LEDGER_URL_FILE", text(file.path()))],
    ] {
        let ledger = connect(&[place, &of_the_client].concat()).await.unwrap();
        ledger.ping().await.unwrap();
    }
    // The server wants to know who asks.
    let line = refusal(&[("LEDGER_URL", &url(&redis, &login)), of_the_client[0]]).await;
    assert!(line.contains("REDIS_CLIENT_CERT_FILE"), "{line}");
}

#[tokio::test]
async fn a_wrong_user_or_password_ends_a_service_at_once() {
    let server = RedisServer::start(None, None).await.unwrap();
    set_user(&server, "").await;
    let (user, _) = documented_user();
    let port = server.port();
    for login in [format!("{user}:s3cret"), format!("nobody:{ENCODED}")] {
        let line = refusal(&[("LEDGER_URL", &format!("redis://{login}@127.0.0.1:{port}"))]).await;
        assert!(line.contains("check the user and the password"), "{line}");
        assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
    }
    server.tell("CONFIG SET requirepass s3cret").await;
    let line = refusal(&[("LEDGER_URL", &format!("redis://127.0.0.1:{port}"))]).await;
    assert!(line.contains("set its password"), "{line}");
}

#[tokio::test]
async fn a_right_that_the_user_lacks_is_named() {
    let server = RedisServer::start(None, None).await.unwrap();
    let (_, rules) = documented_user();
    let url = async |less: &str| {
        let login = set_user(&server, less).await;
        format!("redis://{login}@127.0.0.1:{}", server.port())
    };
    connect(&[("LEDGER_URL", &url("").await)]).await.unwrap();
    // For a cluster, and for a database other than 0.
    let others = ["select", "asking", "cluster|slots"];
    let commands = rules.split(' ').filter_map(|rule| rule.strip_prefix('+'));
    for command in commands.filter(|command| !others.contains(command)) {
        let url = url(&format!("-{command}")).await;
        let refused = connect(&[("LEDGER_URL", &url)]).await;
        let line = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        let call = command.replace('|', " ");
        assert!(line.to_lowercase().contains(&call), "{command}: {line}");
        assert!(line.contains("docs/SETTINGS.md"), "{line}");
    }
    let keys: Vec<_> = rules
        .split(' ')
        .filter(|rule| rule.starts_with('~'))
        .collect();
    for key in &keys {
        let others: Vec<_> = keys.iter().filter(|other| *other != key).copied().collect();
        let url = url(&format!("resetkeys {}", others.join(" "))).await;
        let line = refusal(&[("LEDGER_URL", &url)]).await;
        assert!(line.contains(key.trim_matches(['~', '*'])), "{key}: {line}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_the_users_is_told() {
    let server = RedisServer::start(None, None).await.unwrap();
    let login = set_user(&server, "").await;
    let url = format!("redis://{login}@127.0.0.1:{}/500", server.port());
    let line = refusal(&[("LEDGER_URL", &url)]).await;
    assert!(line.contains("number of its database"), "{line}");
    let login = set_user(&server, "-select").await;
    let url = format!("redis://{login}@127.0.0.1:{}/5", server.port());
    let line = refusal(&[("LEDGER_URL", &url)]).await;
    assert!(line.contains("SELECT"), "{line}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_has_expired_is_told() {
    let (valid, expired) = (
        Certificates::make().unwrap(),
        Certificates::make_expired().unwrap(),
    );
    let other = Certificates::make().unwrap();
    for (of_server, trusted, told) in [
        (&valid, &other, "invalid peer certificate"),
        (&expired, &expired, "expired"),
    ] {
        let redis = SecureRedis::start(of_server, AsksClients::Never)
            .await
            .unwrap();
        let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
        let authority = trusted.authority();
        let line = refusal(&[("LEDGER_URL", &url), ("REDIS_CA_FILE", text(&authority))]).await;
        assert!(
            line.contains("certificate") && line.contains(told),
            "{line}"
        );
    }
    // The system's authorities do not know it either.
    let redis = SecureRedis::start(&valid, AsksClients::Never)
        .await
        .unwrap();
    let port = redis.tls_port();
    let line = refusal(&[("LEDGER_URL", &format!("rediss://localhost:{port}"))]).await;
    assert!(line.contains("REDIS_CA_FILE"), "{line}");
}

#[tokio::test]
async fn a_server_that_is_asked_with_tls_and_has_none_or_the_reverse_is_no_answer() {
    let certificates = Certificates::make().unwrap();
    let redis = SecureRedis::start(&certificates, AsksClients::Never)
        .await
        .unwrap();
    for url in [
        format!("rediss://127.0.0.1:{}", redis.server().port()),
        format!("redis://127.0.0.1:{}", redis.tls_port()),
    ] {
        let variables = [("LEDGER_URL", &*url), ("REDIS_CONNECT_TIMEOUT", "0.5")];
        let error = connect(&variables).await.unwrap_err();
        assert!(matches!(error, ServiceError::Ledger(_)), "{error:?}");
        let line = error.to_string();
        assert!(line.contains("TLS") && !line.contains('\n'), "{line}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_a_wrong_setting() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in ["/nowhere/secret", text(empty.path())] {
        for variables in [
            &[("LEDGER_URL_FILE", path)][..],
            &[("REDIS_HOST", "h"), ("REDIS_PASSWORD_FILE", path)],
        ] {
            let error = connect(variables).await.unwrap_err();
            assert!(matches!(error, ServiceError::Setting(_)), "{error:?}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
