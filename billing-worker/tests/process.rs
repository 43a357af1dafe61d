//! billing-worker as a process: exit codes and signals.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use contract::{MAX_RECORDS, push_record};
use testkit::{
    CsvRow, RedisServer, ServiceProcess, Stack, assert_ends_at_sigterm, assert_refuses,
    assert_tells_its_health, poll_until,
};

const LONG: Duration = Duration::from_secs(20);

const BINARY: &str = env!("CARGO_BIN_EXE_billing-worker");

fn variables(stack: &Stack) -> Vec<(&'static str, String)> {
    let queue = ("SQS_QUEUE_URL", stack.resources().data_process_url.clone());
    stack.environment().into_iter().chain([queue]).collect()
}

#[tokio::test]
async fn sigterm_ends_it_with_exit_code_0() {
    let stack = Stack::start().await;
    assert_ends_at_sigterm(BINARY, "METRICS_PORT", &variables(&stack)).await;
}

#[tokio::test]
async fn a_wrong_setting_ends_it_with_64_and_one_line_that_names_it() {
    let stack = Stack::start().await;
    let wrong = [
        ("SNS_TOPIC_ARN", "my-topic"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        (
            "SNS_TOPIC_ARN",
            "arn:aws:sns:us-east-1:000000000000:data-process-topic.fifo",
        ),
        // Not that of the topic.
        ("AWS_REGION", "sa-east-1"),
        ("SNS_ENDPOINT_URL", "ftp://localhost"),
        ("SQS_MAX_MESSAGES", "11"),
        ("NOTIFICATION_FLUSH_INTERVAL", "-1"),
        ("REDIS_DATA_EXPIRATION", "1h"),
        ("REDIS_HOST", ""),
        ("REDIS_TLS", "perhaps"),
        ("REDIS_CA_FILE", "/no/such/file"),
        // Beside REDIS_HOST.
        ("LEDGER_URL", "redis://127.0.0.1"),
        ("LEDGER_URL_FILE", "no/such/file"),
        ("ISSUER_FILE", "no/such/issuer.toml"),
        // It is there, and is no issuer.
        ("ISSUER_FILE", "Cargo.toml"),
        ("STRICT_GOVERNMENT_ID", "perhaps"),
    ];
    assert_refuses(BINARY, "METRICS_PORT", &variables(&stack), &wrong).await;
}

#[tokio::test]
async fn an_issuer_whose_boletos_banks_would_not_take_ends_it_with_64() {
    let stack = Stack::start().await;
    let issuer = |name: &str, bank: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "registered = true\n[beneficiary]\nname = '{name}'\ndocument = '12ABC34501DE35'\n\
             address = 'Rua das Fontes, 1'\ncity = 'Campinas'\nstate = 'SP'\n\
             postal_code = '13000-000'\n[bank]\n{bank}\n[pix]\nkey = 'cobranca@example.com'\n"
        );
        std::fs::write(file.path(), text).unwrap();
        file
    };
    let itau = |carteira: &str| {
        let account = "code = '341'\nagencia = '57'\nconta = '72192'\n";
        issuer("Águas", &format!("{account}carteira = '{carteira}'"))
    };
    let files = [
        itau("106"),
        itau("212"),
        issuer(
            "Águas",
            "code = '237'\nagencia = '1'\nconta = '2'\ncarteira = '09'",
        ),
        issuer(
            "Águas",
            "code = '104'\nagencia = '1'\nbeneficiario = '1099999'\nmodalidade = '14'",
        ),
        issuer(
            "☃",
            "code = '033'\nagencia = '1'\nbeneficiario = '2'\ncarteira = '101'",
        ),
    ];
    let paths = files.each_ref().map(|file| file.path().to_str().unwrap());
    let wrong = paths.map(|path| ("ISSUER_FILE", path));
    assert_refuses(BINARY, "METRICS_PORT", &variables(&stack), &wrong).await;
}

#[tokio::test]
async fn rows_of_a_batch_that_are_bad_in_one_way_are_one_line_of_the_log() {
    let stack = Stack::start().await;
    let process = ServiceProcess::start(BINARY, "METRICS_PORT", variables(&stack));
    process.healthy().await;
    let mut body = CsvRow::valid("good").line();
    for number in 0..MAX_RECORDS - 3 {
        push_record(
            &mut body,
            &CsvRow {
                email: "nobody".into(),
                ..CsvRow::valid(number.to_string())
            }
            .line(),
        );
    }
    push_record(&mut body, "not,a,record");
    push_record(&mut body, "not,one,either,but,five");
    let queue = &stack.resources().data_process_url;
    stack.queues().send(queue, body, []).await.unwrap();
    poll_until("the message to be deleted", LONG, async || {
        stack.depth(queue).await.is_empty().then_some(())
    })
    .await;
    process.terminate();
    let (_, log, errors) = process.ended().await;
    let of_rows = log.lines().filter(|line| line.contains("Rows are INVALID"));
    let mut seen: Vec<(String, u64)> = of_rows
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            (
                line["reason"].as_str().unwrap().to_owned(),
                line["rows"].as_u64().unwrap(),
            )
        })
        .collect();
    seen.sort();
    let bad = MAX_RECORDS as u64 - 3;
    let expected = [
        ("email_invalid".to_owned(), bad),
        ("field_count".to_owned(), 2),
    ];
    assert_eq!(seen, expected, "{log}{errors}");
    // Traces are off.
    assert!(!log.contains("trace_id"), "{log}");
}

#[tokio::test]
async fn it_tells_whether_it_is_alive() {
    let stack = Stack::start().await;
    assert_tells_its_health(BINARY, "METRICS_PORT", &variables(&stack)).await;
}

#[tokio::test]
async fn a_replica_of_redis_ends_it_with_1_after_the_tries_and_one_line() {
    let stack = Stack::start().await;
    let replica = RedisServer::start(None, None).await.unwrap();
    let (host, port) = (stack.redis_host(), stack.redis_port());
    replica.tell(&format!("REPLICAOF {host} {port}")).await;
    let more = [
        ("REDIS_PORT", replica.port().to_string()),
        ("REDIS_CONNECTION_RETRY_INTERVAL", "0.1".to_owned()),
    ];
    let variables = variables(&stack).into_iter().chain(more);

    let process = ServiceProcess::start(BINARY, "METRICS_PORT", variables);

    let (status, _, errors) = process.ended().await;
    assert_eq!(status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let master = format!("is a replica of {host}:{port}");
    assert!(errors.contains(&master), "{errors}");
}
