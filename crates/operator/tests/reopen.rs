//! `operator reopen` as a process, against an importer-api that says what it is asked.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::Output;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::process::Command;
use uuid::Uuid;

/// An importer-api that knows one token, and one import.
async fn importer(import_id: Uuid) -> String {
    let route = format!("/v1/imports/{import_id}/reopen");
    let answer = async |headers: HeaderMap, uri: Uri| {
        if headers.get("authorization").map(AsRef::as_ref) != Some(&b"Bearer secret"[..]) {
            let problem = r#"{"title":"The request has no valid token","detail":"send one"}"#;
            return (StatusCode::UNAUTHORIZED, problem);
        }
        match uri.query() {
            Some("code=mailbox_refused") => (StatusCode::OK, r#"{"reopened":2}"#),
            None => (StatusCode::OK, r#"{"reopened":7}"#),
            Some(_) => (StatusCode::BAD_REQUEST, "no problem document"),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route(&route, post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn reopen(importer: &str, import_id: Uuid, further: &[&str], token: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_operator"))
        .args(["reopen", "--import", &import_id.to_string()])
        .args(further)
        .env_clear()
        .envs([("IMPORTER_URL", importer), ("API_TOKEN", token)])
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_importer_is_asked_and_its_answer_told() {
    let import_id = Uuid::now_v7();
    let importer = importer(import_id).await;
    for (further, told) in [
        (&[][..], "7 e-mails are sent again\n"),
        (&["--code", "mailbox_refused"], "2 e-mails are sent again\n"),
    ] {
        let done = reopen(&importer, import_id, further, "secret").await;
        assert_eq!(text(&done.stdout), told, "{}", text(&done.stderr));
        assert_eq!(done.status.code(), Some(0));
    }
}

#[tokio::test]
async fn what_the_importer_refuses_is_said_with_its_words() {
    let import_id = Uuid::now_v7();
    let importer = importer(import_id).await;
    let code = ["--code", "other"];
    for (importer, further, token, exit, said) in [
        (
            &*importer,
            &[][..],
            "wrong",
            1,
            "The request has no valid token: send one",
        ),
        (&importer, &code, "secret", 1, "400"),
        (
            &importer,
            &["--code", "a b"],
            "secret",
            2,
            "mailbox_refused",
        ),
        ("http://127.0.0.1:9", &[], "", 1, "IMPORTER_URL"),
        ("nowhere", &[], "", 64, "IMPORTER_URL"),
    ] {
        let refused = reopen(importer, import_id, further, token).await;
        let error = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(exit), "{error}");
        assert!(error.contains(said), "{error}");
    }
}
