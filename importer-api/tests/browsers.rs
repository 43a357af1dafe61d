//! What other websites can do through a visitor's browser: nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use importer::Importer;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method};
use serde_json::Value;
use testkit::{CsvFile, RunningService};

/// Status and problem of a request with these headers, none for `""`.
async fn ask(
    service: &RunningService,
    method: Method,
    route: &str,
    headers: &[(&'static str, &'static str)],
) -> (u16, String) {
    let headers = headers.iter().filter(|(name, _)| !name.is_empty());
    let headers: HeaderMap = headers
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    let url = format!("{}{route}", service.url());
    let mut request = Client::new().request(method.clone(), url).headers(headers);
    if method == Method::POST && route == "/v1/upload" {
        let file = Part::bytes(CsvFile::new().valid_rows(1).bytes()).file_name("a.csv");
        request = request.multipart(Form::new().part("file", file));
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap_or_default();
    (
        status,
        problem["type"].as_str().unwrap_or_default().to_owned(),
    )
}

const IMPORT: &str = "/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411";

#[tokio::test]
async fn another_website_can_neither_upload_nor_cancel() {
    let importer = Importer::new().await;
    for tokens in [&[][..], &[("ALLOWED_HOSTS", "billing.example.com")]] {
        let service = importer.start_with(tokens).await;
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            for route in [
                "/v1/upload",
                &format!("{IMPORT}/cancel"),
                &format!("{IMPORT}/reconcile"),
            ] {
                let found = ask(&service, Method::POST, route, &[header]).await;
                let refused = (403, "urn:problem:cross-site".to_owned());
                assert_eq!(found, refused, "{header:?} {route}");
            }
        }
        // A link to the page, a download, and what is no browser.
        let link = [("sec-fetch-site", "cross-site")];
        assert_eq!(ask(&service, Method::GET, "/", &link).await.0, 200);
        assert_eq!(
            ask(&service, Method::GET, "/v1/imports", &link).await.0,
            200
        );
        for own in [
            ("", ""),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            let (status, _) = ask(&service, Method::POST, "/v1/upload", &[own]).await;
            assert_eq!(status, 202, "{own:?}");
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_open_service_answers_by_no_name_but_its_own() {
    const ROUTES: [&str; 6] = [
        "/",
        "/docs/",
        "/openapi.json",
        "/sample.csv",
        "/v1/imports",
        "/none",
    ];
    let importer = Importer::new().await;
    let named = [("ALLOWED_HOSTS", "importer-api, billing.example.com")];
    let service = importer.start_with(&named).await;
    for route in ROUTES {
        let evil = [("host", "evil.example:8000")];
        let found = ask(&service, Method::GET, route, &evil).await;
        assert_eq!(
            found,
            (403, "urn:problem:foreign-host".to_owned()),
            "{route}"
        );
        for host in [
            "localhost:8000",
            "192.0.2.7",
            "[::1]:8000",
            "importer-api:8000",
        ] {
            let (status, _) = ask(&service, Method::GET, route, &[("host", host)]).await;
            assert!(matches!(status, 200 | 404), "{route} {host} {status}");
        }
    }
    let own = [
        ("host", "billing.example.com"),
        ("origin", "https://billing.example.com"),
    ];
    assert_eq!(ask(&service, Method::POST, "/v1/upload", &own).await.0, 202);
    for route in ["/health", "/ready", "/metrics"] {
        let (status, _) = ask(&service, Method::GET, route, &[("host", "importer")]).await;
        assert_ne!(status, 403, "{route}");
    }
    service.stop().await.unwrap();

    // With tokens a website has nothing to read.
    let service = importer
        .start_with(&[("API_TOKENS", "a-good-and-long-token")])
        .await;
    let host = [("host", "anything.example")];
    assert_eq!(ask(&service, Method::GET, "/", &host).await.0, 200);
    assert_eq!(
        ask(&service, Method::GET, "/v1/imports", &host).await.0,
        401
    );
    service.stop().await.unwrap();
}
