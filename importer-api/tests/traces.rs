//! The trace of an import that another process goes on to send.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::collections::BTreeSet;

use importer::{Importer, LONG, ready, upload};
use importer_api::Settings;
use testkit::{BucketServer, CollectorMode, CsvFile, RunningService, Stack, TraceCollector};
use testkit::{free_port, poll_until};

const ROWS: usize = 25;

/// Waits until all rows of an import are in the queue, and gives the traces
/// that their messages name.
async fn traces_in_queue(stack: &Stack) -> BTreeSet<String> {
    let queue = &stack.resources().data_process_url;
    poll_until("the rows", LONG, async || {
        (stack.depth(queue).await.visible >= ROWS as u64).then_some(())
    })
    .await;
    let messages = stack.take_all(queue).await.into_iter();
    let parents = messages.map(|message| message.attributes["traceparent"].clone());
    parents
        .map(|parent| parent.split('-').nth(1).unwrap().to_owned())
        .collect()
}

/// The one trace of all spans, with the spans of an upload and of its sending.
fn trace_of(collector: &TraceCollector) -> BTreeSet<String> {
    let spans = collector.spans();
    let names: BTreeSet<&str> = spans.iter().map(|span| &*span.name).collect();
    let expected = ["POST /v1/upload", "send data-process"];
    assert_eq!(names, BTreeSet::from(expected));
    spans.into_iter().map(|span| span.trace_id).collect()
}

fn file() -> Vec<u8> {
    CsvFile::new().valid_rows(ROWS).bytes()
}

/// Where nothing answers.
fn nowhere() -> String {
    format!("http://127.0.0.1:{}", free_port().unwrap())
}

#[tokio::test]
async fn an_import_that_is_sent_after_a_restart_is_sent_in_the_trace_of_its_upload() {
    let importer = Importer::new().await;
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let (endpoint, nowhere) = (collector.endpoint_url(), nowhere());
    let traced = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint);
    let service = importer
        .start_with(&[traced, ("SQS_ENDPOINT_URL", &nowhere)])
        .await;
    upload(&service, file()).await;
    service.stop().await.unwrap();
    let service = importer.start_with(&[traced]).await;
    let in_queue = traces_in_queue(&importer.stack).await;
    service.stop().await.unwrap();
    assert_eq!(in_queue.len(), 1);
    assert_eq!(trace_of(&collector), in_queue);
}

#[tokio::test]
async fn an_import_that_another_replica_takes_over_is_sent_in_the_trace_of_its_upload() {
    let (stack, bucket) = (Stack::start().await, BucketServer::start().await);
    let collector = TraceCollector::start(CollectorMode::Takes).await.unwrap();
    let start = async |further: &[(&'static str, &str)]| {
        let url = format!("s3://{}/imports", bucket.bucket());
        let s3 = bucket.embedded().unwrap().endpoint_url();
        let traces = collector.endpoint_url();
        let own = [
            ("SPOOL_URL", &*url),
            ("S3_ENDPOINT_URL", &*s3),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*traces),
        ];
        let more = [&own[..], further].concat();
        let queue = &stack.resources().data_process_url;
        let settings = Settings::read(&stack.service_environment(queue, &more)).unwrap();
        RunningService::start(|listener, stop| importer_api::run(settings, listener, stop)).await
    };
    let nowhere = nowhere();
    let first = start(&[("SQS_ENDPOINT_URL", &nowhere)]).await;
    poll_until("the ledger and the bucket", LONG, async || {
        let (_, waiting) = first.answer("/ready").await;
        waiting.contains(r#""for":["SQS"]"#).then_some(())
    })
    .await;
    upload(&first, file()).await;
    let other = start(&[]).await;
    ready(&other).await;
    first.stop().await.unwrap();
    let in_queue = traces_in_queue(&stack).await;
    other.stop().await.unwrap();
    assert_eq!(in_queue.len(), 1);
    assert_eq!(trace_of(&collector), in_queue);
}
