//! `operator redrive` as a process, on a real queue.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::cmp::Ordering;
use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use common::messaging::{
    Aws, BatchHandler, Consumer, ConsumerMetrics, ConsumerOptions, Delivery, Verdict,
};
use common::runtime::AppRegistry;
use common::service::{BaseSettings, DRAIN};
use testkit::{PipelineSettings, Stack, poll_until};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(30);

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Attributes = HashMap<String, MessageAttributeValue>;

async fn stack() -> Stack {
    let settings = PipelineSettings {
        max_receive_count: 1,
        ..PipelineSettings::default()
    };
    Stack::start_with(settings).await
}

/// One of each type of attribute.
fn attributes(row: usize) -> Attributes {
    let text = |name: &str, kind: &str, value: &str| {
        let attribute = MessageAttributeValue::builder().data_type(kind);
        let attribute = attribute.string_value(value).build().unwrap();
        (name.to_owned(), attribute)
    };
    let binary = MessageAttributeValue::builder().data_type("Binary");
    let binary = binary.binary_value(Blob::new([0, 0x9F, 0x92, 0x96]));
    HashMap::from([
        text("import_id", "String", &Uuid::from_u128(7).to_string()),
        text("row", "Number", &row.to_string()),
        text("put_off", "Number", "3"),
        text("not_before", "Number", "1767225600"),
        text("traceparent", "String", TRACE),
        text("of_ours", "String.custom", "é"),
        ("checksum".to_owned(), binary.build().unwrap()),
    ])
}

fn body(row: usize) -> String {
    format!("John Silva,12345678909,john@example.com,7811,2024-01-19,debt-{row}")
}

async fn send(stack: &Stack, url: &str, row: usize) {
    let client = stack.queues().client();
    let message = client.send_message().queue_url(url);
    let message = message.message_body(body(row));
    let message = message.set_message_attributes(Some(attributes(row)));
    message.send().await.unwrap();
}

/// Bodies and attributes of all that is visible, sorted by body.
async fn received(stack: &Stack, url: &str) -> Vec<(String, Attributes)> {
    let client = stack.queues().client();
    let mut all = Vec::new();
    loop {
        let receive = client.receive_message().queue_url(url);
        let receive = receive.max_number_of_messages(10).wait_time_seconds(0);
        let answer = receive.message_attribute_names("All").send().await;
        let messages = answer.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            all.sort_by(by_body);
            return all;
        }
        all.extend(messages.into_iter().map(|message| {
            let attributes = message.message_attributes.unwrap();
            (message.body.unwrap(), attributes)
        }));
    }
}

fn by_body(one: &(String, Attributes), other: &(String, Attributes)) -> Ordering {
    one.0.cmp(&other.0)
}

fn sorted(rows: impl IntoIterator<Item = usize>) -> Vec<(String, Attributes)> {
    let mut all: Vec<_> = rows.into_iter().map(|r| (body(r), attributes(r))).collect();
    all.sort_by(by_body);
    all
}

/// Runs the command to its end, with nobody at its terminal.
async fn operator(stack: &Stack, endpoint: &str, arguments: &[&str]) -> Output {
    let mut variables: HashMap<_, _> = stack.environment().into_iter().collect();
    variables.insert("SQS_ENDPOINT_URL", endpoint.to_owned());
    let command = Command::new(env!("CARGO_BIN_EXE_operator"))
        .arg("redrive")
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(LONG, command).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A handler that brings nothing to its end.
struct Fails;

impl BatchHandler for Fails {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        vec![Verdict::Failed; deliveries.len()]
    }
}

/// Lets a consumer fail until all messages of the work queue are dead letters.
async fn let_fail(stack: &Stack, messages: u64) {
    let url = &stack.resources().data_process_url;
    let settings = BaseSettings::read(&stack.service_environment(url, &[]), "PORT", 0).unwrap();
    let wait = Duration::from_secs(1);
    let aws = Aws::new(&settings.aws).await;
    let queue = aws.queue(&url.parse().unwrap()).unwrap();
    let options = ConsumerOptions {
        max_messages: 10,
        batch: 10,
        batch_bytes: usize::MAX,
        long_poll: wait,
        concurrency: 1,
        visibility_timeout: Duration::from_secs(30),
        drain: DRAIN,
    };
    let metrics = ConsumerMetrics::new(&AppRegistry::new("test").unwrap()).unwrap();
    let stop = CancellationToken::new();
    let consumer = Consumer::new(queue, Fails, options, metrics, stop.clone());
    let consuming = tokio::spawn(consumer.run());
    poll_until("the dead letters", LONG, async || {
        let letters = stack.depth(&stack.resources().data_process_dlq_url).await;
        (letters.visible == messages).then_some(())
    })
    .await;
    stop.cancel();
    consuming.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_handler_gave_up_goes_back_as_it_was() {
    let stack = stack().await;
    let resources = stack.resources().clone();
    for row in 0..12 {
        send(&stack, &resources.data_process_url, row).await;
    }
    let_fail(&stack, 12).await;

    let queue = ["--queue", "data-process", "--yes"];
    let output = operator(&stack, &stack.endpoint_url(), &queue).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        shown.starts_with("data-process-dlq → data-process: 12 messages\n"),
        "{shown}"
    );
    assert!(
        shown.contains("J*** S***, j***@example.com, document ***09"),
        "{shown}"
    );
    assert!(shown.contains("  - and 7 more\n"), "{shown}");
    assert!(shown.ends_with("moved 12, failed 0\n"), "{shown}");
    for personal in ["John", "john@", "12345678909"] {
        assert!(!shown.contains(personal), "{shown}");
    }

    let back = received(&stack, &resources.data_process_url).await;
    assert_eq!(back, sorted(0..12));
    assert!(
        stack
            .depth(&resources.data_process_dlq_url)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn nothing_moves_unless_told_so_and_no_more_than_told() {
    let stack = stack().await;
    let resources = stack.resources().clone();
    let (work, letters) = (&resources.data_process_url, &resources.data_process_dlq_url);
    for row in 0..3 {
        send(&stack, letters, row).await;
    }
    let endpoint = stack.endpoint_url();

    let shown = operator(&stack, &endpoint, &["--queue", work, "--dry-run"]).await;
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("3 messages"));
    let asked = operator(&stack, &endpoint, &["--queue", work]).await;
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        text(&asked.stderr).contains("--yes"),
        "{}",
        text(&asked.stderr)
    );
    let depth = stack.depth(letters).await;
    assert_eq!(
        (depth.visible, depth.in_flight),
        (3, 0),
        "shown and given back"
    );
    assert!(stack.depth(work).await.is_empty());

    let limited = ["--queue", work, "--yes", "--limit", "2"];
    let output = operator(&stack, &endpoint, &limited).await;
    assert!(text(&output.stdout).ends_with("moved 2, failed 0\n"));
    assert_eq!(stack.depth(letters).await.total(), 1);
    assert_eq!(stack.depth(work).await.total(), 2);
}

#[tokio::test]
async fn a_queue_without_dead_letters_and_one_that_is_not_there_are_errors() {
    let stack = stack().await;
    let endpoint = stack.endpoint_url();
    for (queue, says) in [
        ("data-process-dlq", "no redrive policy"),
        ("no-such-queue", "cannot be found"),
    ] {
        let output = operator(&stack, &endpoint, &["--queue", queue, "--yes"]).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(queue) && errors.contains(says), "{errors}");
    }
    let output = operator(&stack, "localhost", &["--queue", "data-process"]).await;
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("SQS_ENDPOINT_URL"));
}

/// Passes calls on to SQS and keeps their names, but fails those that delete.
async fn without_deletes(endpoint: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let client = reqwest::Client::new();
    let pass = async move |headers: HeaderMap, body: Bytes| {
        let target = headers["x-amz-target"].to_str().unwrap().to_owned();
        let call = target.rsplit('.').next().unwrap().to_owned();
        seen.lock().unwrap().push(call.clone());
        if call == "DeleteMessageBatch" {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let sent = client.post(&endpoint).headers(headers).body(body).send();
        let answer = sent.await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap()).into_response()
    };
    let routes = Router::new().fallback(pass);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, calls)
}

#[tokio::test]
async fn a_redrive_that_dies_before_it_deletes_loses_nothing() {
    let stack = stack().await;
    let resources = stack.resources().clone();
    let (work, letters) = (&resources.data_process_url, &resources.data_process_dlq_url);
    for row in 0..2 {
        send(&stack, letters, row).await;
    }
    let (endpoint, calls) = without_deletes(stack.endpoint_url()).await;
    let queue = ["--queue", "data-process", "--yes"];
    let output = operator(&stack, &endpoint, &queue).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("harmless"),
        "{}",
        text(&output.stderr)
    );
    {
        let calls = calls.lock().unwrap();
        let first = |name: &str| calls.iter().position(|call| call == name).unwrap();
        assert!(first("SendMessageBatch") < first("DeleteMessageBatch"));
    }
    assert_eq!(
        stack.depth(letters).await.total(),
        2,
        "they are dead letters still"
    );
    assert_eq!(stack.depth(work).await.total(), 2, "and on their way");

    let output = operator(&stack, &stack.endpoint_url(), &queue).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(stack.depth(letters).await.is_empty());
    assert_eq!(received(&stack, work).await, sorted([0, 0, 1, 1]));
}
