//! The spans of the three services together: one import is one trace.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod suite;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use suite::Suite;
use testkit::{CollectedSpan, CollectorMode, CsvFile, TraceCollector, poll_until};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// One of each service, whose spans go there; `None` is without traces.
async fn start(collectors: [Option<&TraceCollector>; 3]) -> Suite {
    let variables = collectors.map(|collector| {
        let endpoint = collector.map_or_else(String::new, TraceCollector::endpoint_url);
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]
    });
    let mut suite = Suite::without_services().await;
    suite.start_importer(&variables[0]).await;
    suite.start_billing(&variables[1]).await;
    suite.start_mailing(&variables[2]).await;
    suite
}

/// Stops the services, which has their last spans exported.
async fn stop(suite: &mut Suite) {
    let importers = suite.importers.drain(..);
    let workers = suite.billing_workers.drain(..);
    let services = importers.chain(workers).chain(suite.mail_workers.drain(..));
    for service in services.collect::<Vec<_>>() {
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_of_two_thousand_rows_is_one_trace_through_all_services() {
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let mut suite = start([Some(&collector); 3]).await;
    let import_id = suite.upload(CsvFile::new().valid_rows(2_000).bytes()).await;
    let counts = suite.completed(import_id).await;
    assert_eq!((counts.billed, counts.mailed), (2_000, 2_000));
    suite.queues_are_empty().await;
    stop(&mut suite).await;

    let spans = collector.spans();
    let traces: BTreeSet<&str> = spans.iter().map(|span| &*span.trace_id).collect();
    assert_eq!(traces.len(), 1, "{traces:?}");
    let of: BTreeSet<(&str, &str)> = spans
        .iter()
        .map(|span| (&*span.service, &*span.name))
        .collect();
    let expected = [
        ("importer-api", "POST /v1/upload"),
        ("importer-api", "send data-process"),
        ("billing-worker", "receive data-process"),
        ("billing-worker", "process data-process"),
        ("billing-worker", "send data-process-topic"),
        ("send-mail-worker", "receive process-email"),
        ("send-mail-worker", "process process-email"),
        ("send-mail-worker", "send e-mails"),
    ];
    assert_eq!(of, BTreeSet::from(expected));
    // One for a batch, and none for a row.
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    assert_eq!(count("POST /v1/upload"), 1);
    assert_eq!(count("send data-process"), 200);
    assert!(count("process data-process") <= 200);
    assert!(count("send e-mails") <= count("process process-email"));

    // Each is below one that is there, and the upload is the first.
    let by_id: HashMap<&str, &CollectedSpan> =
        spans.iter().map(|span| (&*span.span_id, span)).collect();
    let above = |span: &CollectedSpan| by_id.get(&*span.parent_id).map(|above| &*above.name);
    for span in &spans {
        let expected: &[Option<&str>] = match &*span.name {
            "POST /v1/upload" => &[None],
            "send data-process" => &[Some("POST /v1/upload")],
            "receive data-process" | "process data-process" => &[Some("send data-process")],
            "send data-process-topic" => &[Some("process data-process")],
            "receive process-email" | "process process-email" => &[Some("send data-process-topic")],
            _ => &[Some("process process-email")],
        };
        assert!(expected.contains(&above(span)), "{span:?}");
        assert!(!span.failed, "{span:?}");
    }
    let upload = spans.iter().find(|span| span.parent_id.is_empty()).unwrap();
    let attribute = |name: &str| upload.attributes.get(name).map(String::as_str);
    assert_eq!(attribute("import_id"), Some(&*import_id.to_string()));
    assert_eq!(attribute("http.request.method"), Some("POST"));
    assert_eq!(attribute("http.response.status_code"), Some("202"));
    let topic = "send data-process-topic";
    let topic = spans.iter().find(|span| span.name == topic).unwrap();
    assert_eq!(topic.attributes["messaging.system"], "aws.sns");
    // Of whose debts they are, spans say nothing.
    let all = format!("{spans:?}");
    assert!(
        !all.contains("debt-1") && !all.contains("example.com"),
        "{all}"
    );
}

#[tokio::test]
async fn an_upload_goes_on_with_the_trace_of_its_client_and_a_refused_one_is_told() {
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let mut suite = start([Some(&collector); 3]).await;
    let url = format!("{}/v1/upload", suite.importers[0].url());
    for (file, status) in [(CsvFile::new().valid_rows(1).bytes(), 202), (vec![0], 422)] {
        let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
        let request = reqwest::Client::new().post(&url).multipart(form);
        let request = request.header("traceparent", CALLER);
        let answer = request.header("tracestate", "vendor=1").send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status);
        if status == 202 {
            let answer: Value = answer.json().await.unwrap();
            let import_id = answer["import_id"].as_str().unwrap().parse().unwrap();
            suite.completed(import_id).await;
        }
    }
    stop(&mut suite).await;
    let spans = collector.spans();
    assert!(spans.iter().all(|span| CALLER.contains(&span.trace_id)));
    let uploads = spans.iter().filter(|span| span.name == "POST /v1/upload");
    let mut seen: Vec<_> = uploads
        .map(|span| {
            assert!(CALLER.contains(&span.parent_id) && !span.failed);
            &*span.attributes["http.response.status_code"]
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, ["202", "422"]);
}

#[tokio::test]
async fn a_preview_that_is_billed_belongs_to_the_trace_of_that_request() {
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let mut suite = start([Some(&collector); 3]).await;
    let preview = suite.preview(CsvFile::new().valid_rows(3).bytes()).await;
    let import_id = preview["preview_id"].as_str().unwrap();
    suite.accept(import_id).await;
    suite.completed(import_id.parse().unwrap()).await;
    stop(&mut suite).await;
    let spans = collector.spans();
    let traces: BTreeSet<&str> = spans.iter().map(|span| &*span.trace_id).collect();
    assert_eq!(traces.len(), 1, "{spans:?}");
    let services: BTreeSet<&str> = spans.iter().map(|span| &*span.service).collect();
    assert_eq!(services.len(), 3);
}

/// As while traces are switched on, one service after the other.
#[tokio::test]
async fn a_service_without_traces_passes_them_on() {
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let mut suite = start([Some(&collector), None, Some(&collector)]).await;
    let import_id = suite.upload(CsvFile::new().valid_rows(30).bytes()).await;
    suite.completed(import_id).await;
    stop(&mut suite).await;
    let spans = collector.spans();
    let traces: BTreeSet<&str> = spans.iter().map(|span| &*span.trace_id).collect();
    assert_eq!(traces.len(), 1, "{spans:?}");
    let services: BTreeSet<&str> = spans.iter().map(|span| &*span.service).collect();
    let expected = ["importer-api", "send-mail-worker"];
    assert_eq!(services, BTreeSet::from(expected));
}

#[tokio::test]
async fn without_traces_messages_name_none() {
    let mut suite = Suite::without_services().await;
    suite.start_importer(&[]).await;
    suite.upload(CsvFile::new().valid_rows(3).bytes()).await;
    let resources = suite.stack.resources();
    let queue = &resources.data_process_url;
    poll_until("the rows", Duration::from_secs(20), async || {
        (suite.stack.depth(queue).await.visible == 3).then_some(())
    })
    .await;
    for message in suite.stack.take_all(queue).await {
        let names: Vec<&str> = message.attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["import_id", "row"]);
    }
}
