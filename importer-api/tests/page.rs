//! The page for people, and its files, through HTTP.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use importer::Importer;
use reqwest::{Client, Response, StatusCode, header};
use testkit::RunningService;

async fn ask(service: &RunningService, route: &str, languages: &str) -> Response {
    let url = format!("{}{route}", service.url());
    let request = Client::new()
        .get(url)
        .header(header::ACCEPT_LANGUAGE, languages);
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_page_speaks_the_language_of_the_browser_or_the_one_that_is_asked_for() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    for (route, languages, tag, title) in [
        (
            "/",
            "pt-BR,pt;q=0.9,en;q=0.8",
            "pt-BR",
            "Importação de cobranças",
        ),
        ("/", "en-GB", "en", "Billing imports"),
        ("/", "ja", "en", "Billing imports"),
        ("/?lang=pt", "en", "pt-BR", "Importação de cobranças"),
        ("/?lang=en", "pt-BR", "en", "Billing imports"),
        ("/?lang=%FF&x", "pt-BR", "pt-BR", "Importação de cobranças"),
    ] {
        let page = ask(&service, route, languages).await;
        assert_eq!(page.status(), StatusCode::OK, "{route}");
        assert_eq!(page.headers()[header::CONTENT_LANGUAGE], tag);
        assert_eq!(page.headers()[header::VARY], "accept-language");
        let html = page.text().await.unwrap();
        assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{route}");
        assert!(html.contains(&format!("<title>{title}</title>")), "{route}");
    }
}

#[tokio::test]
async fn the_page_may_run_and_ask_nothing_but_its_own_service() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    for route in ["/", "/docs/", "/docs/swagger-ui-bundle.js"] {
        let answer = ask(&service, route, "en").await;
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(
            policy.contains("connect-src 'self'") && !policy.contains("http"),
            "{policy}"
        );
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    let html = service.get("/").await;
    for other_host in ["http://", "https://", "=\"//"] {
        assert!(!html.contains(other_host), "{other_host}");
    }
    for inline in ["<script>", " onclick=", " style=", "<style"] {
        assert!(!html.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn each_file_of_the_page_is_there_and_is_sent_once() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let mut found = vec!["/".to_owned()];
    let mut looked = 0;
    while let Some(route) = found.get(looked).cloned() {
        looked += 1;
        let answer = ask(&service, &route, "en").await;
        assert_eq!(answer.status(), StatusCode::OK, "{route}");
        assert_eq!(
            answer.headers()[header::CACHE_CONTROL],
            "no-cache",
            "{route}"
        );
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let etag = answer.headers()[header::ETAG].clone();
        let content_type = answer.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let text = answer.text().await.unwrap();

        let again = Client::new()
            .get(format!("{}{route}", service.url()))
            .header(header::IF_NONE_MATCH, &etag);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{route}");
        assert_eq!(again.headers()[header::ETAG], etag);
        assert_eq!(again.text().await.unwrap(), "");

        // What it asks for in turn: links of the page, imports of its scripts.
        let (start, before) = if content_type.starts_with("text/javascript") {
            ("from './", "/page/")
        } else {
            ("=\"/page/", "/page/")
        };
        for rest in text.split(start).skip(1) {
            let name = rest.split(['\'', '"']).next().unwrap();
            let next = format!("{before}{name}");
            if !found.contains(&next) {
                found.push(next);
            }
        }
    }
    assert_eq!(looked, 17, "{found:?}");
    let sample = ask(&service, "/sample.csv", "en").await;
    assert_eq!(
        sample.headers()[header::CONTENT_TYPE],
        "text/csv; charset=utf-8"
    );
}

#[tokio::test]
async fn the_page_is_open_where_the_api_asks_for_a_token() {
    let importer = Importer::new().await;
    let service = importer
        .start_with(&[("API_TOKENS", "token-of-this-test")])
        .await;
    for route in ["/", "/page/main.js", "/sample.csv"] {
        assert_eq!(ask(&service, route, "en").await.status(), StatusCode::OK);
    }
    let refused = ask(&service, "/v1/imports", "en").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
