//! Several importers with the files of their imports on S3: any of them carries any import and
//! answers for it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::collections::BTreeSet;
use std::fs::File;
use std::time::{Duration, SystemTime};

use common::ledger::{CarrierLedger, ImportLedger};
use importer::{LONG, ready, upload};
use importer_api::Settings;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{BucketServer, CsvFile, FaultMode, RunningService, Stack, poll_until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

struct Suite {
    stack: Stack,
    bucket: BucketServer,
}

impl Suite {
    async fn new() -> Self {
        let (stack, bucket) = (Stack::start().await, BucketServer::start().await);
        Self { stack, bucket }
    }

    /// A replica with these variables, which has reached all that it needs.
    async fn start_with(&self, further: &[(&'static str, &str)]) -> RunningService {
        let service = self.begin(further).await;
        ready(&service).await;
        service
    }

    async fn begin(&self, further: &[(&'static str, &str)]) -> RunningService {
        let url = format!("s3://{}/imports", self.bucket.bucket());
        let endpoint = self.bucket.embedded().unwrap().endpoint_url();
        let own = [("SPOOL_URL", &*url), ("S3_ENDPOINT_URL", &*endpoint)];
        let more = [&own[..], further].concat();
        let queue = &self.stack.resources().data_process_url;
        let settings = Settings::read(&self.stack.service_environment(queue, &more)).unwrap();
        RunningService::start(|listener, stop| importer_api::run(settings, listener, stop)).await
    }

    /// The rows that were sent, each however often.
    async fn sent(&self) -> Vec<u64> {
        let queue = &self.stack.resources().data_process_url;
        let messages = self.stack.take_all(queue).await;
        let rows = messages.iter();
        rows.map(|sent| sent.attributes["row"].parse().unwrap())
            .collect()
    }

    /// The files and manifests in the bucket.
    fn objects(&self) -> Vec<String> {
        let files = self.bucket.embedded().unwrap().directory();
        let folder = files.join(self.bucket.bucket()).join("imports");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.contains(".csv") || name.contains(".json"))
            .collect()
    }
}

async fn import(service: &RunningService, import_id: Uuid) -> Value {
    let (status, text) = service.answer(&format!("/v1/imports/{import_id}")).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn is_sent(service: &RunningService, import_id: Uuid) {
    poll_until("it to be sent", LONG, async || {
        let import = import(service, import_id).await;
        import["sent_at"].is_string().then_some(())
    })
    .await;
}

async fn post(service: &RunningService, route: &str) -> (u16, Value) {
    let url = format!("{}{route}", service.url());
    let answer = Client::new().post(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn try_upload(service: &RunningService, file: Vec<u8>, key: &str) -> (u16, Value) {
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let url = format!("{}/v1/upload", service.url());
    let request = Client::new().post(url).header("Idempotency-Key", key);
    let answer = request.multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_replica_that_never_saw_the_file_gives_the_same_answers() {
    let suite = Suite::new().await;
    let one = suite.start_with(&[]).await;
    let other = suite.start_with(&[]).await;
    let file = CsvFile::new().valid_rows(5).line("too,few").bytes();
    let import_id = upload(&one, file).await;
    is_sent(&other, import_id).await;
    assert_eq!(
        import(&one, import_id).await,
        import(&other, import_id).await
    );
    let route = format!("/v1/imports/{import_id}/rejections");
    let rejections = one.answer(&route).await;
    assert_eq!(rejections, other.answer(&route).await);
    assert!(rejections.1.contains("too,few"), "{}", rejections.1);

    assert_eq!(suite.sent().await.len(), 5);
    let expected = json!({"without_outcome": 5, "not_notified": 0, "not_mailed": 0, "put_off": 0});
    for service in [&one, &other] {
        let route = format!("/v1/imports/{import_id}/reconcile");
        assert_eq!(post(service, &route).await, (200, expected.clone()));
        assert_eq!(suite.sent().await.len(), 5);
    }
    let route = format!("/v1/imports/{import_id}/cancel");
    let cancelled = [post(&one, &route).await, post(&other, &route).await];
    assert_eq!(cancelled[0].0, 409);
    assert_eq!(cancelled[0], cancelled[1]);
}

#[tokio::test]
async fn an_import_of_a_replica_that_stops_goes_on_at_once_elsewhere() {
    const ROWS: u64 = 3_000;
    let suite = Suite::new().await;
    let slow = [
        ("MAX_CSV_PROCESS_CONCURRENT_TASKS", "1"),
        ("MAX_SQS_SEND_MESSAGE_BATCH_SIZE", "1"),
    ];
    let one = suite.start_with(&slow).await;
    let import_id = upload(&one, CsvFile::new().valid_rows(3_000).bytes()).await;
    let other = suite.start_with(&[]).await;
    poll_until("some rows to be sent", LONG, async || {
        let import = import(&other, import_id).await;
        (import["rows"]["sent"].as_u64() > Some(0)).then_some(())
    })
    .await;
    one.stop().await.unwrap();
    let ledger = suite.stack.ledger().await;
    let status = ledger.import_status(import_id).await.unwrap().unwrap();
    assert!((1..ROWS).contains(&status.sent), "{}", status.sent);
    is_sent(&other, import_id).await;
    let sent = suite.sent().await;
    assert_eq!(sent.len() as u64, ROWS, "a stop sends nothing twice");
    let rows: BTreeSet<u64> = sent.into_iter().collect();
    assert!(rows.into_iter().eq(1..=ROWS));
}

#[tokio::test]
async fn an_import_whose_carrier_is_lost_is_carried_by_another_from_the_checkpoint() {
    let suite = Suite::new().await;
    let ledger = suite.stack.ledger().await;
    let nowhere = [("SQS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let lost = suite.begin(&nowhere).await;
    poll_until("the ledger", LONG, async || {
        let (_, text) = lost.answer("/ready").await;
        (!text.contains("Redis") && text.contains("SQS")).then_some(())
    })
    .await;
    let import_id = upload(&lost, CsvFile::new().valid_rows(20).bytes()).await;
    lost.stop().await.unwrap();
    // One that is killed after so many rows.
    let spool = format!("s3://{}/imports", suite.bucket.bucket());
    let lasts = Duration::from_secs(1);
    let taken = ledger.take_import(&spool, Uuid::new_v4(), lasts).await;
    let taken = taken.unwrap().unwrap();
    assert_eq!(taken.lease.import_id, import_id);
    let service = suite.start_with(&[]).await;
    is_sent(&service, import_id).await;
    let status = ledger.import_status(import_id).await.unwrap().unwrap();
    assert_eq!((status.sent, status.carried_until), (20, None));
    assert_eq!(suite.sent().await.len(), 20);
}

#[tokio::test]
async fn while_s3_is_away_an_upload_is_refused_and_leaves_nothing() {
    let suite = Suite::new().await;
    let way = suite.bucket.proxy().await;
    let service = suite.start_with(&[("S3_ENDPOINT_URL", &way.url())]).await;
    let small = CsvFile::new().valid_rows(5).bytes();
    // Of several parts.
    let long = format!("{},too,few", "x".repeat(40_000));
    let large = (0..400).fold(CsvFile::new(), |file, _| file.line(&long));
    let large = large.bytes();
    for (imports, key, file) in [(0, "small", small), (1, "large", large)] {
        way.set(FaultMode::Refuse);
        let (status, problem) = try_upload(&service, file.clone(), key).await;
        assert_eq!(
            (status, &problem["type"]),
            (503, &json!("urn:problem:files-away"))
        );
        poll_until("it not to be ready", LONG, async || {
            let (status, text) = service.answer("/ready").await;
            (status == 503 && text.contains("S3")).then_some(())
        })
        .await;
        way.set(FaultMode::Pass);
        assert_eq!(suite.objects().len(), 2 * imports);
        assert_eq!(suite.bucket.unfinished_uploads().await, 0);
        let (status, accepted) = try_upload(&service, file, key).await;
        assert_eq!((status, &accepted["replayed"]), (202, &json!(false)));
        let import_id = accepted["import_id"].as_str().unwrap().parse().unwrap();
        is_sent(&service, import_id).await;
        assert_eq!(suite.objects().len(), 2 * (imports + 1));
    }
}

#[tokio::test]
async fn while_the_ledger_is_away_an_upload_to_s3_is_refused() {
    let mut suite = Suite::new().await;
    let service = suite.start_with(&[]).await;
    suite.stack.stop_redis().await;
    let file = CsvFile::new().valid_rows(5).bytes();
    poll_until("uploads to be refused", LONG, async || {
        let (status, problem) = try_upload(&service, file.clone(), "a").await;
        assert_eq!(
            (status, &problem["type"]),
            (503, &json!("urn:problem:ledger-away"))
        );
        (suite.objects().is_empty()).then_some(())
    })
    .await;
    suite.stack.start_redis().await;
    let accepted = poll_until("an upload to be taken", LONG, async || {
        let (status, accepted) = try_upload(&service, file.clone(), "a").await;
        (status == 202).then_some(accepted)
    })
    .await;
    let import_id = accepted["import_id"].as_str().unwrap().parse().unwrap();
    is_sent(&service, import_id).await;
}

#[tokio::test]
async fn an_upload_that_a_stop_cuts_off_leaves_no_parts() {
    let suite = Suite::new().await;
    let service = suite.start_with(&[]).await;
    let address = service.url().replace("http://", "");
    let mut client = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/upload HTTP/1.1\r\nHost: {address}\r\nContent-Length: 90000000\r\n\
         Content-Type: multipart/form-data; boundary=x\r\n\r\n\
         --x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\
         name,governmentId,email,debtAmount,debtDueDate,debtId\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let line = format!("{},too,few\r\n", "x".repeat(40_000));
    client.write_all(line.repeat(300).as_bytes()).await.unwrap();
    poll_until("parts in the bucket", LONG, async || {
        (suite.bucket.unfinished_uploads().await == 1).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    assert_eq!(suite.bucket.unfinished_uploads().await, 0);
}

/// An import that was accepted so long ago.
fn accepted_before(days: u64) -> Uuid {
    let at = Timestamp::now() - Duration::from_hours(24 * days + 1);
    let seconds = at.as_second().unsigned_abs();
    Uuid::new_v7(uuid::Timestamp::from_unix_time(seconds, 0, 0, 0))
}

#[tokio::test]
async fn what_a_ledger_does_not_know_is_kept_unless_it_never_was_an_import() {
    let suite = Suite::new().await;
    let folder = suite.bucket.embedded().unwrap().directory();
    let folder = folder.join(suite.bucket.bucket()).join("imports");
    std::fs::create_dir_all(&folder).unwrap();
    let old = SystemTime::now() - Duration::from_hours(1);
    let [unknown, rubbish, forgotten] = [2, 2, 31].map(accepted_before);
    for (import_id, kind) in [
        (unknown, "csv"),
        (unknown, "json"),
        (rubbish, "csv"),
        (forgotten, "csv"),
        (forgotten, "json"),
    ] {
        let path = folder.join(format!("{import_id}.{kind}"));
        std::fs::write(&path, "{}").unwrap();
        File::open(&path).unwrap().set_modified(old).unwrap();
    }
    let service = suite.start_with(&[]).await;
    poll_until("the unknown import to be shown", LONG, async || {
        (service.metric("imports_unknown").await == 1).then_some(())
    })
    .await;
    let kept: BTreeSet<String> = suite.objects().into_iter().collect();
    let expected = ["csv", "json"].map(|kind| format!("{unknown}.{kind}"));
    assert_eq!(kept, expected.into());
}

#[tokio::test]
async fn a_preview_is_accepted_by_any_replica() {
    let suite = Suite::new().await;
    let (one, other) = (suite.start_with(&[]).await, suite.start_with(&[]).await);
    let file = CsvFile::new().valid_rows(40).line("no,row").bytes();
    let form = Form::new().part("file", Part::bytes(file).file_name("debts.csv"));
    let url = format!("{}/v1/uploads/preview", one.url());
    let answer = Client::new()
        .post(url)
        .multipart(form)
        .send()
        .await
        .unwrap();
    let preview: Value = answer.json().await.unwrap();
    assert_eq!(preview["rows"]["valid"], 40);
    assert_eq!(preview["problems"][0]["line"], 42);
    assert!(suite.sent().await.is_empty());

    let id = preview["preview_id"].as_str().unwrap();
    for service in [&other, &one] {
        let url = format!("{}/v1/upload?preview={id}", service.url());
        let answer = Client::new().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    is_sent(&one, id.parse().unwrap()).await;
    assert_eq!(suite.sent().await.len(), 40);
    assert_eq!(suite.objects().len(), 2);
}
