//! What the services expose at `/metrics`, and what `docs/METRICS.md` says that they do.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::collections::BTreeSet;
use std::time::Duration;

use suite::Suite;
use testkit::{CsvFile, RunningService, poll_until};

const LONG: Duration = Duration::from_secs(30);

/// The names by their sections: those of a section are exposed by each service that its title
/// names, and by all where it names none.
fn documented(service: &str) -> BTreeSet<String> {
    let page = include_str!("../../../docs/METRICS.md");
    let mut names = BTreeSet::new();
    let mut applies = false;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            applies = title.contains(service)
                || title == "Every service"
                || (title.starts_with("Both workers") && service.ends_with("worker"));
        }
        let cell = line
            .strip_prefix("| `")
            .and_then(|row| row.split('|').next());
        if let (true, Some(cell)) = (applies, cell) {
            let of_cell = cell.split(',').map(|name| name.trim().trim_matches('`'));
            names.extend(of_cell.map(str::to_owned));
        }
    }
    names
}

fn exposed(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
        .collect()
}

/// The value of the first sample of that name with that label.
fn value(text: &str, name: &str, label: &str) -> f64 {
    let mut samples = text.lines().filter(|line| {
        let labels = line.strip_prefix(name);
        labels.is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
    });
    let sample = samples.next();
    let sample = sample.unwrap_or_else(|| panic!("no {name} with {label} in:\n{text}"));
    sample.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn metric(service: &RunningService, name: &str, label: &str) -> f64 {
    value(&service.get("/metrics").await, name, label)
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let suite = Suite::start().await;
    for (name, services) in [
        ("importer-api", &suite.importers),
        ("billing-worker", &suite.billing_workers),
        ("send-mail-worker", &suite.mail_workers),
    ] {
        let text = poll_until(
            "the gauges of a queue, the last to come",
            LONG,
            async || {
                let text = services[0].get("/metrics").await;
                let watches = name.ends_with("worker");
                (!watches || text.contains("sqs_queue_messages{")).then_some(text)
            },
        )
        .await;
        let (exposed, documented) = (exposed(&text), documented(name));
        let missing: Vec<_> = documented.difference(&exposed).collect();
        assert!(missing.is_empty(), "{name} does not expose {missing:?}");
        let unknown: Vec<_> = exposed.difference(&documented).collect();
        assert!(unknown.is_empty(), "METRICS.md lacks {unknown:?} of {name}");
        assert!(!exposed.is_empty());
    }
}

#[tokio::test]
async fn an_import_shows_in_each_service() {
    let suite = Suite::start().await;
    let file = CsvFile::new()
        .valid_rows(40)
        .line(",1,nobody@example.com,1,2027-03-15,nobody")
        .bytes();
    suite.completed(suite.upload(file).await).await;
    suite.queues_are_empty().await;

    let importer = &suite.importers[0];
    poll_until("the import to be seen at its end", LONG, async || {
        let text = importer.get("/metrics").await;
        let ended = value(
            &text,
            "imports_ended_total",
            "state=\"completed_with_errors\"",
        );
        (ended > 0.5 && value(&text, "imports_open", "app=") < 0.5).then_some(())
    })
    .await;
    let text = importer.get("/metrics").await;
    for (name, label, expected) in [
        ("csv_processor_rows_total", "app=", 41.0),
        ("imports_ended_total", "state=\"failed\"", 0.0),
        ("imports_open_rows", "state=\"accepted\"", 0.0),
        ("http_responses_total", "class=\"2xx\"", 1.0),
        ("http_responses_total", "class=\"5xx\"", 0.0),
        (
            "aws_call_errors_total",
            "operation=\"SendMessageBatch\"",
            0.0,
        ),
        ("ledger_call_errors_total", "app=", 0.0),
    ] {
        assert!(
            (value(&text, name, label) - expected).abs() < 0.5,
            "{name} {label}"
        );
    }
    let called = value(
        &text,
        "aws_call_duration_seconds_count",
        "operation=\"SendMessageBatch\"",
    );
    assert!(
        (5.0..42.0).contains(&called),
        "{called} calls for 41 messages"
    );

    let text = suite.billing_workers[0].get("/metrics").await;
    let batches = value(
        &text,
        "billing_step_duration_seconds_count",
        "step=\"context\"",
    );
    assert!((1.0..42.0).contains(&batches), "{batches} batches");
    for step in ["check", "process", "schedule"] {
        let label = format!("step=\"{step}\"");
        let observed = value(&text, "billing_step_duration_seconds_count", &label);
        assert!(
            (observed - batches).abs() < 0.5,
            "{step}: {observed} of {batches}"
        );
    }
    for (name, label) in [
        (
            "aws_call_duration_seconds_count",
            "operation=\"PublishBatch\"",
        ),
        (
            "aws_call_duration_seconds_count",
            "operation=\"ReceiveMessage\"",
        ),
        (
            "aws_call_duration_seconds_count",
            "operation=\"DeleteMessageBatch\"",
        ),
        ("ledger_call_duration_seconds_count", "app="),
    ] {
        let observed = value(&text, name, label);
        assert!(
            (1.0..500.0).contains(&observed),
            "{name} {label}: {observed}"
        );
    }
}

#[tokio::test]
async fn an_import_that_failed_shows_though_a_client_is_the_first_to_see_it() {
    let mut suite = Suite::without_services().await;
    let nowhere = ("SQS_ENDPOINT_URL", "http://127.0.0.1:9".to_owned());
    suite.start_importer(&[nowhere]).await;
    let import_id = suite.upload(CsvFile::new().valid_rows(3).bytes()).await;
    let importer = suite.importers.pop().unwrap();
    assert!(metric(&importer, "imports_failed", "app=").await < 0.5);
    importer.stop().await.unwrap();
    let file = suite.spool.path().join(format!("{import_id}.csv"));
    std::fs::remove_file(file).unwrap();

    suite.start_importer(&[]).await;
    let importer = &suite.importers[0];
    poll_until("a client to see the failure", LONG, async || {
        let (_, import) = importer.answer(&format!("/v1/imports/{import_id}")).await;
        let import: serde_json::Value = serde_json::from_str(&import).ok()?;
        (import["state"] == "failed" && import["over"] == true).then_some(())
    })
    .await;
    let failed = metric(importer, "imports_ended_total", "state=\"failed\"").await;
    assert!((failed - 1.0).abs() < 0.5, "{failed}");
    poll_until("the gauge of failed imports", LONG, async || {
        (metric(importer, "imports_failed", "app=").await > 0.5).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_away_shows_and_so_does_its_return() {
    let mut suite = Suite::start().await;
    let worker = suite.billing_workers.pop().unwrap();
    let up = async |dependency: &str, expected: f64| {
        poll_until(dependency, LONG, async || {
            // Whoever asks for it brings the gauges up to date.
            worker.get("/ready").await;
            let label = format!("dependency=\"{dependency}\"");
            let shown = metric(&worker, "dependency_up", &label).await;
            ((shown - expected).abs() < 0.5).then_some(())
        })
        .await;
    };
    for dependency in ["Redis", "SQS", "SNS"] {
        up(dependency, 1.0).await;
    }
    assert!(metric(&worker, "ledger_call_errors_total", "app=").await < 0.5);
    suite.stack.kill_redis();
    up("Redis", 0.0).await;
    assert!(metric(&worker, "ledger_call_errors_total", "app=").await > 0.5);
    up("SQS", 1.0).await;
    suite.stack.start_redis().await;
    up("Redis", 1.0).await;
}

#[tokio::test]
async fn a_call_that_the_queue_refuses_is_an_error_of_its_operation() {
    let mut suite = Suite::without_services().await;
    let gone = format!("{}-gone", suite.stack.resources().data_process_url);
    suite.start_billing(&[("SQS_QUEUE_URL", gone)]).await;
    let worker = &suite.billing_workers[0];
    poll_until("the refusals to count", LONG, async || {
        let errors = metric(
            worker,
            "aws_call_errors_total",
            "operation=\"ReceiveMessage\"",
        )
        .await;
        (errors > 0.5).then_some(())
    })
    .await;
    let publishing = "operation=\"PublishBatch\"";
    assert!(metric(worker, "aws_call_errors_total", publishing).await < 0.5);
}
