//! Who may upload, how much, how fast and how many at a time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::convert::Infallible;
use std::time::Duration;

use futures::stream;
use importer_api::Settings;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{CsvFile, RunningService, Stack, poll_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(20);
const FORM_START: &str =
    "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
const FORM_TYPE: &str = "multipart/form-data; boundary=b";

/// An importer that runs until this is dropped.
struct Importer {
    service: RunningService,
    spool: TempDir,
    _stack: Stack,
}

impl Importer {
    async fn start(further: &[(&'static str, &str)]) -> Self {
        let (stack, spool) = (Stack::start().await, tempfile::tempdir().unwrap());
        let more = [&[("SPOOL_DIR", spool.path().to_str().unwrap())], further].concat();
        let queue = &stack.resources().data_process_url;
        let settings = Settings::read(&stack.service_environment(queue, &more)).unwrap();
        let run = |listener, stop| importer_api::run(settings, listener, stop);
        Self {
            service: RunningService::start(run).await,
            spool,
            _stack: stack,
        }
    }

    fn upload(&self) -> RequestBuilder {
        reqwest::Client::new().post(format!("{}/v1/upload", self.service.url()))
    }

    /// A connection over which this was sent.
    async fn connect(&self, text: &str) -> TcpStream {
        let address = self.service.url().trim_start_matches("http://");
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        client
    }

    /// A connection over which the start of a form was sent.
    async fn begin_upload(&self) -> TcpStream {
        let head = head("content-length: 1000\r\n");
        let client = self.connect(&format!("{head}{FORM_START}name,")).await;
        poll_until("the upload to begin", LONG, async || {
            (!self.files().is_empty()).then_some(())
        })
        .await;
        client
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.spool.path()).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name != "lock" && name != "node")
            .collect()
    }

    async fn nothing_is_left(&self) {
        poll_until("nothing to be left", LONG, async || {
            self.files().is_empty().then_some(())
        })
        .await;
    }
}

fn head(further: &str) -> String {
    format!(
        "POST /v1/upload HTTP/1.1\r\nhost: localhost\r\ncontent-type: {FORM_TYPE}\r\n{further}\r\n"
    )
}

fn form() -> Form {
    let file = Part::bytes(CsvFile::new().valid_rows(3).bytes());
    Form::new().part("file", file.file_name("debts.csv"))
}

/// A form with a file of that many bytes.
fn large_form(bytes: usize) -> Vec<u8> {
    let mut form = FORM_START.as_bytes().to_vec();
    form.extend_from_slice(&CsvFile::new().valid_rows(1).bytes());
    form.resize(form.len() + bytes, b'x');
    form.extend_from_slice(b"\r\n--b--\r\n");
    form
}

async fn assert_problem(answer: Response, status: u16, kind: &str) {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], format!("urn:problem:{kind}"));
    assert_eq!(problem["status"], status);
}

/// Reads the head of the answer, which must come though the request is not
/// at its end.
async fn early_answer(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = async {
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0, "no answer");
        }
    };
    tokio::time::timeout(LONG, read).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_length_above_the_limit_is_refused_before_the_body_comes() {
    let importer = Importer::start(&[("MAX_UPLOAD_BYTES", "1000000")]).await;
    for further in [
        "content-length: 1000001\r\n",
        "content-length: 99999999999\r\n",
        "content-length: 99999999999\r\nexpect: 100-continue\r\n",
    ] {
        let mut client = importer.connect(&head(further)).await;
        let answer = early_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_reads_why_it_was_refused() {
    let importer = Importer::start(&[("MAX_UPLOAD_BYTES", "1000000")]).await;
    let form = large_form(20_000_000);
    let request = importer.upload().header("content-type", FORM_TYPE);
    let answer = request.body(form.clone()).send().await.unwrap();
    assert_problem(answer, 413, "too-large").await;
    // Many clients look at no answer before they have sent it all.
    let length = format!("content-length: {}\r\n", form.len());
    let mut client = importer.connect(&head(&length)).await;
    client.write_all(&form).await.unwrap();
    let answer = early_answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_without_length_is_cut_at_the_limit() {
    let importer = Importer::start(&[("MAX_UPLOAD_BYTES", "1000000")]).await;
    let pieces = large_form(20_000_000)
        .chunks(50_000)
        .map(|piece| Ok::<_, Infallible>(piece.to_vec()))
        .collect::<Vec<_>>();
    let request = importer.upload().header("content-type", FORM_TYPE);
    let body = reqwest::Body::wrap_stream(stream::iter(pieces));
    let answer = request.body(body).send().await.unwrap();
    assert_problem(answer, 413, "too-large").await;
    importer.nothing_is_left().await;
}

#[tokio::test]
async fn an_upload_of_exactly_the_limit_is_taken() {
    let form = large_form(50_000);
    let limit = form.len().to_string();
    let importer = Importer::start(&[("MAX_UPLOAD_BYTES", &limit)]).await;
    let request = importer.upload().header("content-type", FORM_TYPE);
    let answer = request.body(form).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

#[tokio::test]
async fn an_upload_too_many_is_told_when_to_come_back() {
    let importer = Importer::start(&[("MAX_CONCURRENT_UPLOADS", "1")]).await;
    let first = importer.begin_upload().await;
    let answer = importer.upload().multipart(form()).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_problem(answer, 429, "too-many-uploads").await;
    drop(first);
    poll_until("room for an upload", LONG, async || {
        let answer = importer.upload().multipart(form()).send().await.unwrap();
        (answer.status() == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stands_still_is_let_go_and_leaves_nothing() {
    let importer = Importer::start(&[("UPLOAD_IDLE_TIMEOUT", "0.3")]).await;
    let mut client = importer.begin_upload().await;
    let answer = early_answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    importer.nothing_is_left().await;
}

#[tokio::test]
async fn a_slow_client_is_waited_for_as_long_as_it_sends() {
    let importer = Importer::start(&[("UPLOAD_IDLE_TIMEOUT", "0.5")]).await;
    let form = large_form(100);
    let length = format!("content-length: {}\r\n", form.len());
    let mut client = importer.connect(&head(&length)).await;
    let mut pieces = tokio::time::interval(Duration::from_millis(100));
    for piece in form.chunks(form.len() / 12) {
        pieces.tick().await;
        client.write_all(piece).await.unwrap();
    }
    let answer = early_answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[tokio::test]
async fn who_drips_gives_way_to_the_next_one() {
    let importer = Importer::start(&[("MAX_CONCURRENT_UPLOADS", "2")]).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut client = importer.begin_upload().await;
        slow.push(tokio::spawn(async move {
            let mut drops = tokio::time::interval(Duration::from_millis(500));
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                tokio::select! {
                    read = client.read_buf(&mut answer) => assert_ne!(read.unwrap(), 0),
                    _ = drops.tick() => client.write_all(b"x").await.unwrap(),
                }
            }
            String::from_utf8(answer).unwrap()
        }));
    }
    for status in [429, 202] {
        poll_until("no room for another upload, then some", LONG, async || {
            let answer = importer.upload().multipart(form()).send().await.unwrap();
            (answer.status() == status).then_some(())
        })
        .await;
    }
    let gone = poll_until("the slowest to be told", LONG, async || {
        slow.iter().position(JoinHandle::is_finished)
    })
    .await;
    let answer = slow.swap_remove(gone).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("urn:problem:too-slow"), "{answer}");
}

#[tokio::test]
async fn who_has_sent_nothing_of_a_file_keeps_nobody_out() {
    let importer = Importer::start(&[("MAX_CONCURRENT_UPLOADS", "1")]).await;
    let head = head("content-length: 1000\r\n");
    let _nothing = importer.connect(&head).await;
    let other = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\nx";
    let _other = importer.connect(&format!("{head}{other}")).await;
    poll_until("the requests to be read", LONG, async || {
        // The service is asked over connections that come after theirs.
        (importer.service.get("/health").await == r#"{"status":"ok"}"#).then_some(())
    })
    .await;
    let answer = importer.upload().multipart(form()).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

#[tokio::test]
async fn a_compressed_upload_is_refused() {
    let importer = Importer::start(&[]).await;
    for (encoding, status) in [("gzip", 415), ("identity, br", 415), ("Identity", 202)] {
        let request = importer.upload().header("content-encoding", encoding);
        let answer = request.multipart(form()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{encoding}");
        if status == 415 {
            assert_eq!(answer.headers()["accept-encoding"], "identity");
            assert_problem(answer, 415, "encoded").await;
        }
    }
}

#[tokio::test]
async fn a_manifest_tells_the_hash_of_the_file_and_its_name_without_tricks() {
    let importer = Importer::start(&[]).await;
    let file = CsvFile::new().valid_rows(1).bytes();
    let name = "../..\\secret/de\u{202e}bts\u{85}.csv";
    let form = Form::new().part("file", Part::bytes(file).file_name(name));
    let answer = importer.upload().multipart(form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let path = format!("{}.json", answer["import_id"].as_str().unwrap());
    let manifest = std::fs::read(importer.spool.path().join(path)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["file_name"], "debts.csv");
    // `sha256sum` of the header and the first row of the test kit.
    let sha256 = "8ab4d55ca270a11f737c26ad4eac23d741846d14417742ee8ba91dbafc5317ab";
    assert_eq!(manifest["sha256"], sha256);
}

const TOKEN: &str = "first-token-of-two";

#[tokio::test]
async fn with_tokens_only_who_has_one_may_use_the_api() {
    let importer =
        Importer::start(&[("API_TOKENS", "first-token-of-two,second-token-of-two")]).await;
    for wrong in [
        None,
        Some(""),
        Some("first-token-of-tw"),
        Some("first-token-of-two,second-token-of-two"),
    ] {
        let mut request = importer.upload();
        if let Some(token) = wrong {
            request = request.bearer_auth(token);
        }
        let answer = request.multipart(form()).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{wrong:?}");
        assert_problem(answer, 401, "unauthorized").await;
    }
    for token in [TOKEN, "second-token-of-two"] {
        let request = importer.upload().bearer_auth(token);
        let answer = request.multipart(form()).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    for open in ["/health", "/metrics", "/docs/", "/openapi.json"] {
        let url = format!("{}{open}", importer.service.url());
        assert_eq!(reqwest::get(url).await.unwrap().status(), 200, "{open}");
    }
    let api: Value = serde_json::from_str(&importer.service.get("/openapi.json").await).unwrap();
    assert_eq!(
        api["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    let upload = &api["paths"]["/v1/upload"]["post"];
    assert!(upload["security"][1]["bearer"].is_array(), "{upload}");
    for status in ["401", "408", "413", "415", "429", "507"] {
        assert!(upload["responses"][status].is_object(), "{status}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_before_the_body_comes() {
    let importer = Importer::start(&[("API_TOKENS", TOKEN)]).await;
    let mut client = importer.connect(&head("content-length: 1000\r\n")).await;
    let answer = early_answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let request = importer.upload().header("content-type", FORM_TYPE);
    let answer = request.body(large_form(20_000_000)).send().await.unwrap();
    assert_problem(answer, 401, "unauthorized").await;
    assert_eq!(importer.files(), Vec::<String>::new());
}
