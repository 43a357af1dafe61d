//! importer-api's `run` with real uploads, a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::ledger::ImportLedger;
use contract::Column;
use importer::{Importer, LONG};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{CsvFile, CsvRow, Emulator, PipelineNames, RunningService, poll_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

impl Importer {
    /// The bodies in the queue by row, once there are that many.
    async fn sent(&self, rows: usize) -> BTreeMap<u64, String> {
        let mut bodies = BTreeMap::new();
        poll_until("the rows to be sent", LONG, async || {
            let queue = &self.stack.resources().data_process_url;
            for message in self.stack.take_all(queue).await {
                let row = message.attributes["row"].parse().unwrap();
                bodies.insert(row, message.body);
            }
            (bodies.len() >= rows).then_some(())
        })
        .await;
        assert_eq!(bodies.len(), rows);
        bodies
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.spool.path()).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name != "lock" && name != "node")
            .collect()
    }
}

fn form(file: impl Into<Vec<u8>>) -> Form {
    Form::new().part("file", Part::bytes(file.into()).file_name("debts.csv"))
}

async fn post(service: &RunningService, form: Form) -> (u16, Value) {
    let url = format!("{}/v1/upload", service.url());
    let request = reqwest::Client::new().post(url).multipart(form);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let expected = if status < 400 {
        "application/json"
    } else {
        "application/problem+json"
    };
    assert_eq!(content_type, expected);
    (status, answer.json().await.unwrap())
}

async fn upload(service: &RunningService, file: impl Into<Vec<u8>>) -> Uuid {
    let (status, body) = post(service, form(file)).await;
    assert_eq!(status, 202, "{body}");
    assert!(body["message"].is_string());
    body["import_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_row_is_sent_once_with_its_number_and_counted() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let import_id = upload(&service, CsvFile::new().valid_rows(95).bytes()).await;
    let queue = &importer.stack.resources().data_process_url;
    poll_until("the rows to be sent", LONG, async || {
        (importer.stack.depth(queue).await.visible == 95).then_some(())
    })
    .await;
    let messages = importer.stack.take_all(queue).await;
    assert_eq!(messages.len(), 95);
    assert!(
        messages
            .iter()
            .all(|m| m.attributes["import_id"] == import_id.to_string())
    );
    let mut rows: Vec<u64> = messages
        .iter()
        .map(|m| m.attributes["row"].parse().unwrap())
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=95).collect::<Vec<_>>());
    poll_until("the duration to be observed", LONG, async || {
        let count = service.metric("csv_processor_duration_seconds_count").await;
        (count == 1).then_some(())
    })
    .await;
    assert_eq!(
        service.metric("csv_processor_messages_sent_total").await,
        95
    );
    assert_eq!(
        service.metric("csv_processor_messages_failed_total").await,
        0
    );
    let rows = importer
        .stack
        .ledger()
        .await
        .rows_of(import_id)
        .await
        .unwrap();
    assert_eq!(rows, Some(95));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_file_of_any_usual_form_arrives_as_it_was_meant() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let record = "João da Silva,52998224725,joao@example.com,7811.50,2027-03-15,7";
    let forms: [(&str, Vec<u8>, &str); 9] = [
        ("LF", format!("{HEADER}\n{record}\n").into(), record),
        ("CRLF", format!("{HEADER}\r\n{record}\r\n").into(), record),
        ("no last line end", format!("{HEADER}\n{record}").into(), record),
        ("BOM", format!("\u{feff}{HEADER}\n{record}\n").into(), record),
        ("blank lines", format!("\n{HEADER}\n\n  \n{record}\n\n\r\n").into(), record),
        (
            "semicolons and another order",
            "debtID;NAME;governmentid;email;debtAmount;debtDueDate\n7;João da Silva;52998224725;joao@example.com;7811.50;2027-03-15".into(),
            record,
        ),
        (
            "Windows-1252",
            CsvFile::new().line(record).latin1_bytes(),
            record,
        ),
        (
            "quotes",
            format!("{HEADER}\n\"João \"\"Zé\"\", o\n2º\",1,\"a@b.co\",7,2027-03-15,7\n").into(),
            "\"João \"\"Zé\"\", o\n2º\",1,a@b.co,7,2027-03-15,7",
        ),
        (
            "blanks after the id",
            format!("{HEADER}\n{record}  \n").into(),
            record,
        ),
    ];
    for (form, file, body) in forms {
        upload(&service, file).await;
        assert_eq!(importer.sent(1).await[&1], body, "{form}");
    }
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_with_the_reason_and_leaves_nothing() {
    let importer = Importer::new().await;
    let limits = [("MAX_UPLOAD_BYTES", "100000"), ("MAX_ROWS", "3")];
    let service = importer.start_with(&limits).await;
    let row = CsvRow::valid("7").line();
    let cases: [(Form, u16, &str); 11] = [
        (form(""), 422, "the file is empty"),
        (form(HEADER), 422, "a header and no data"),
        (
            form(format!("{HEADER}\n \n\n")),
            422,
            "a header and no data",
        ),
        (
            form(row.clone()),
            422,
            "The first line is: \"João da Silva,5299",
        ),
        (
            form(HEADER.replace("email", "mail") + "\n" + &row),
            422,
            "lacks the columns email",
        ),
        (
            form(b"\x89PNG\r\n\x1a\n\0\0".to_vec()),
            422,
            "the file is a picture",
        ),
        (
            form(format!("{HEADER}\n{}", "x".repeat(200_000))),
            413,
            "MAX_UPLOAD_BYTES",
        ),
        (
            form(CsvFile::new().valid_rows(4).bytes()),
            422,
            "more than 3 rows (MAX_ROWS)",
        ),
        (
            form(format!("name\0{HEADER}\n{row}")),
            422,
            "save it as CSV UTF-8",
        ),
        (
            Form::new().text("other", "text"),
            400,
            "exactly one `file` field with the CSV",
        ),
        (
            form(format!("{HEADER}\n{row}")).part("file", Part::text("x")),
            400,
            "exactly one `file` field",
        ),
    ];
    for (form, status, detail) in cases {
        let (found, problem) = post(&service, form).await;
        assert_eq!(found, status, "{problem}");
        assert_eq!(problem["status"], status);
        assert!(
            problem["detail"].as_str().unwrap().contains(detail),
            "{problem}"
        );
        assert!(
            problem["type"]
                .as_str()
                .unwrap()
                .starts_with("urn:problem:")
        );
        assert!(problem["title"].is_string());
        // For those who say it in another language.
        let columns = match problem["type"].as_str() {
            Some("urn:problem:file-without-columns") => Some(json!(["email"])),
            Some("urn:problem:file-without-header") => Some(json!(Column::names())),
            _ => None,
        };
        assert_eq!(problem.get("columns"), columns.as_ref());
    }
    let url = format!("{}/v1/upload", service.url());
    let answer = reqwest::Client::new()
        .post(url)
        .body("no form")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["type"],
        "urn:problem:malformed-form"
    );
    poll_until("nothing to be left", LONG, async || {
        importer.files().is_empty().then_some(())
    })
    .await;
    upload(&service, format!("{HEADER}\n{row}")).await;
    assert_eq!(importer.sent(1).await[&1], row);
}

/// What is answered to a body that no library wrote.
async fn post_raw(
    service: &RunningService,
    content_type: Option<&str>,
    body: Vec<u8>,
) -> (u16, Value) {
    let url = format!("{}/v1/upload", service.url());
    let mut request = reqwest::Client::new().post(url).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A form of one part with that head, whose content is a row.
fn raw_form(head: &[u8], row: &str) -> Vec<u8> {
    let content = format!("{HEADER}\r\n{row}\r\n\r\n--limite--\r\n");
    [b"--limite\r\n", head, b"\r\n\r\n", content.as_bytes()].concat()
}

const LIMITE: &str = "multipart/form-data; boundary=limite";

#[tokio::test]
async fn a_part_is_the_file_by_its_name_whatever_else_its_head_holds() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let row = CsvRow::valid("7").line();
    let heads: [(&[u8], Option<&str>); 10] = [
        (
            b"Content-Disposition: form-data; filename=\"contas name=janeiro.csv\"; name=\"file\"\r\nContent-Type: text/csv",
            Some("contas name=janeiro.csv"),
        ),
        (
            b"Content-Disposition: form-data; filename=\"a; name=outro; filename=b.csv\"; name=\"file\"",
            Some("a; name=outro; filename=b.csv"),
        ),
        (
            b"Content-Disposition: form-data; name=\"file\"; filename=\"contas name=janeiro.csv\"",
            Some("contas name=janeiro.csv"),
        ),
        (
            b"content-disposition:form-data;NAME=file;FileName=a.csv;filename*=utf-8''b.csv",
            Some("a.csv"),
        ),
        (
            b"Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dados\\a.csv\"",
            Some("a.csv"),
        ),
        (
            b"Content-Disposition: form-data; name=\"file\"; filename=\"a%22b.csv\"",
            Some("a\"b.csv"),
        ),
        (
            b"Content-Disposition: form-data; filename=\"d\xe9bitos.csv\"; name=\"file\"",
            Some("débitos.csv"),
        ),
        (
            b"Content-Disposition: form-data;\r\n\tname=\"file\";\r\n\tfilename=\"a.csv\"",
            Some("a.csv"),
        ),
        (
            b"Content-Transfer-Encoding: Binary \r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"",
            None,
        ),
        (b"Content-Disposition: form-data; name=\"file\"", None),
    ];
    for (head, file_name) in heads {
        let shown = head.escape_ascii();
        let (status, body) = post_raw(&service, Some(LIMITE), raw_form(head, &row)).await;
        assert_eq!(status, 202, "{shown}: {body}");
        let import_id = body["import_id"].as_str().unwrap();
        let import = service.get(&format!("/v1/imports/{import_id}")).await;
        let import: Value = serde_json::from_str(&import).unwrap();
        assert_eq!(import["file_name"], json!(file_name), "{shown}");
        assert_eq!(importer.sent(1).await[&1], row, "{shown}");
    }
}

#[tokio::test]
async fn an_encoded_file_is_refused_by_the_name_of_its_header() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"x.csv\"";
    for (encoding, content) in [
        (
            "quoted-printable",
            "name,governmentId,email,debtAmount,debtDueDate,debtId\r\n\
             Jo=C3=A3o Fict=C3=ADcio,70001234781,cliente1@example.com,10.50,2027-01-31,scout-form-1\r\n",
        ),
        (
            "BASE64",
            "bmFtZSxnb3Zlcm5tZW50SWQsZW1haWwsZGVidEFtb3VudCxkZWJ0RHVlRGF0ZSxkZWJ0SWQNCkpv\n\
             w6NvIEZpY3TDrWNpbyw3MDAwMTIzNDc4MSxjbGllbnRlMUBleGFtcGxlLmNvbSwxMC41MCwyMDI3\n\
             LTAxLTMxLHNjb3V0LWZvcm0tMQ0K\n",
        ),
    ] {
        let form = format!(
            "--limite\r\n{disposition}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n--limite--\r\n"
        );
        let (status, problem) = post_raw(&service, Some(LIMITE), form.into()).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["type"], "urn:problem:malformed-form");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Content-Transfer-Encoding"), "{detail}");
    }
    // Of a field that nobody reads it does not matter.
    let note = "--limite\r\nContent-Disposition: form-data; name=\"note\"\r\n\
                Content-Transfer-Encoding: base64\r\n\r\nb2k=\r\n";
    let row = CsvRow::valid("7").line();
    let form = [note.as_bytes(), &raw_form(disposition.as_bytes(), &row)].concat();
    let (status, body) = post_raw(&service, Some(LIMITE), form).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(importer.sent(1).await[&1], row);
}

#[tokio::test]
async fn a_content_type_is_read_as_http_has_it_or_named() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let row = CsvRow::valid("7").line();
    let form = raw_form(b"Content-Disposition: form-data; name=\"file\"", &row);
    for content_type in [
        "Multipart/Form-Data ;\tcharset=utf-8 ; Boundary = \"limite\"",
        "multipart/form-data;boundary=limite;",
    ] {
        let (status, body) = post_raw(&service, Some(content_type), form.clone()).await;
        assert_eq!(status, 202, "{content_type}: {body}");
        assert_eq!(importer.sent(1).await[&1], row);
    }
    for (content_type, detail) in [
        (None, "is not multipart/form-data"),
        (Some("application/json"), "is not multipart/form-data"),
        (Some("multipart/form-data"), "has no boundary"),
        (Some("multipart/form-data; boundary="), "has no boundary"),
        (
            Some("multipart/form-data; boundary=other"),
            "does not begin with the boundary",
        ),
    ] {
        let (status, problem) = post_raw(&service, content_type, form.clone()).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["type"], "urn:problem:malformed-form");
        let found = problem["detail"].as_str().unwrap();
        assert!(found.contains(detail), "{found}");
        assert!(found.contains("the header Content-Type"), "{found}");
    }
}

/// A connection over which a form with the start of a file was sent.
async fn begin_upload(importer: &Importer, service: &RunningService, length: usize) -> TcpStream {
    let start = format!(
        "POST /v1/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\
         content-type: multipart/form-data; boundary=b\r\n\r\n{FORM_START}{HEADER}\n"
    );
    let address = service.url().trim_start_matches("http://").to_owned();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(start.as_bytes()).await.unwrap();
    poll_until("the upload to begin", LONG, async || {
        (!importer.files().is_empty()).then_some(())
    })
    .await;
    client
}

const FORM_START: &str =
    "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    drop(begin_upload(&importer, &service, 100_000).await);
    poll_until("nothing to be left", LONG, async || {
        importer.files().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upload_in_hand_is_answered_before_a_stop_and_sent_after_the_next_start() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let rest = format!("{}\r\n--b--\r\n", CsvRow::valid("7").line());
    let length = FORM_START.len() + HEADER.len() + 1 + rest.len();
    let mut client = begin_upload(&importer, &service, length).await;
    let (stopped, answer) = tokio::join!(service.stop(), async {
        client.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    });
    stopped.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let _service = importer.start().await;
    assert_eq!(importer.sent(1).await[&1], CsvRow::valid("7").line());
}

#[tokio::test]
async fn rows_that_a_message_cannot_carry_are_invalid_and_the_others_go_on() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let mut file = format!("{HEADER}\n{}\n", CsvRow::valid("1").line()).into_bytes();
    file.extend_from_slice(b"with a \0 byte,1,a@b.co,1,2027-01-01,2\n");
    file.extend_from_slice("x".repeat(300_000).as_bytes());
    file.extend_from_slice(
        format!(",1,a@b.co,1,2027-01-01,3\n{}\n", CsvRow::valid("4").line()).as_bytes(),
    );
    let import_id = upload(&service, file).await;
    let sent = importer.sent(2).await;
    assert_eq!(sent.keys().copied().collect::<Vec<_>>(), [1, 4]);
    let ledger = importer.stack.ledger().await;
    poll_until("the rows to be recorded", LONG, async || {
        let counts = ledger.outcome_counts(import_id).await.unwrap();
        (counts.invalid == 2).then_some(())
    })
    .await;
    assert_eq!(service.metric("csv_processor_rows_invalid_total").await, 2);
    assert_eq!(service.metric("csv_processor_messages_sent_total").await, 2);
}

#[tokio::test]
async fn a_queue_that_is_away_is_waited_for() {
    let importer = Importer::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let (endpoint, queue) = (
        format!("http://{address}"),
        format!("http://{address}/000000000000/data-process"),
    );
    let away = [("SQS_ENDPOINT_URL", &*endpoint), ("SQS_QUEUE_URL", &*queue)];
    let service = importer.start_with(&away).await;
    upload(&service, CsvFile::new().valid_rows(35).bytes()).await;
    let emulator = Emulator::start(address).await.unwrap();
    emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();
    poll_until("the rows to be sent", LONG, async || {
        (emulator.queue_depth(&queue).await.unwrap().visible == 35).then_some(())
    })
    .await;
    assert_eq!(
        service.metric("csv_processor_messages_sent_total").await,
        35
    );
}

#[tokio::test]
async fn an_import_goes_on_after_a_restart() {
    let importer = Importer::new().await;
    let nowhere = [
        ("SQS_ENDPOINT_URL", "http://127.0.0.1:9"),
        (
            "SQS_QUEUE_URL",
            "http://127.0.0.1:9/000000000000/data-process",
        ),
    ];
    let service = importer.start_with(&nowhere).await;
    let first = upload(&service, CsvFile::new().valid_rows(25).bytes()).await;
    let second = upload(&service, CsvFile::new().valid_rows(30).bytes()).await;
    service.stop().await.unwrap();

    let service = importer.start().await;
    let mut messages = Vec::new();
    poll_until("the rows of both to be sent", LONG, async || {
        let queue = &importer.stack.resources().data_process_url;
        messages.extend(importer.stack.take_all(queue).await);
        (messages.len() >= 55).then_some(())
    })
    .await;
    let of = |id: Uuid| {
        messages
            .iter()
            .filter(|m| m.attributes["import_id"] == id.to_string())
            .count()
    };
    assert_eq!((of(first), of(second)), (25, 30));
    service.stop().await.unwrap();

    let service = importer.start().await;
    assert_eq!(service.metric("csv_processor_messages_sent_total").await, 0);
    service.stop().await.unwrap();
    assert!(
        importer
            .stack
            .depth(&importer.stack.resources().data_process_url)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn an_upload_is_taken_while_redis_is_away_at_start() {
    let mut importer = Importer::new().await;
    importer.stack.kill_redis();
    let patient = [
        ("REDIS_CONNECTION_RETRY_INTERVAL", "0.05"),
        ("REDIS_CONNECTION_MAX_RETRIES", "1000"),
    ];
    let service = importer.start_with(&patient).await;
    upload(&service, CsvFile::new().valid_rows(12).bytes()).await;
    importer.stack.start_redis().await;
    importer.sent(12).await;
}

#[tokio::test]
async fn documentation_health_and_metrics_answer() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let api: Value = serde_json::from_str(&service.get("/openapi.json").await).unwrap();
    assert!(api["paths"]["/v1/upload"]["post"]["responses"]["202"].is_object());
    let page = service.get("/docs").await;
    assert!(page.contains("swagger-ui"));
    assert!(
        !page.contains("https://"),
        "the page must not need the internet"
    );
    assert_eq!(service.get("/health").await, r#"{"status":"ok"}"#);
    let metrics = service.get("/metrics").await;
    for name in [
        "csv_processor_messages_sent_total",
        "csv_processor_messages_failed_total",
        "csv_processor_duration_seconds_count",
        "csv_processor_duration_seconds_sum",
    ] {
        assert!(
            metrics.contains(&format!("{name}{{app=\"importer-api\"}} 0\n")),
            "{name}"
        );
    }
    let answer = reqwest::get(format!("{}/v1/nothing", service.url()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    let answer = reqwest::get(format!("{}/v1/upload", service.url()));
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
