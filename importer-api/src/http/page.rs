//! `GET /`: the page for people. It is part of the binary, asks no other host
//! for anything, and does all it does through the routes below `/v1`.

mod language;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::language::Language;

/// What a browser may do for the page: load its own files and ask its own
/// service. A text that somehow became HTML could neither run nor send anything.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page: its address, what it is, and what is in it.
macro_rules! files {
    ($(($address:literal, $content_type:expr, $file:literal)),* $(,)?) => {
        [$(($address, $content_type, include_bytes!(concat!("../../page/", $file)).as_slice())),*]
    };
}

const FILES: [(&str, &str, &[u8]); 16] = files![
    ("/page/page.css", "text/css; charset=utf-8", "page.css"),
    ("/page/icon.svg", "image/svg+xml", "icon.svg"),
    ("/page/main.js", SCRIPT, "main.js"),
    ("/page/api.js", SCRIPT, "api.js"),
    ("/page/boleto.js", SCRIPT, "boleto.js"),
    ("/page/elements.js", SCRIPT, "elements.js"),
    ("/page/events.js", SCRIPT, "events.js"),
    ("/page/history.js", SCRIPT, "history.js"),
    ("/page/import.js", SCRIPT, "import.js"),
    ("/page/preview.js", SCRIPT, "preview.js"),
    ("/page/readdress.js", SCRIPT, "readdress.js"),
    ("/page/reasons.js", SCRIPT, "reasons.js"),
    ("/page/rejections.js", SCRIPT, "rejections.js"),
    ("/page/slips.js", SCRIPT, "slips.js"),
    ("/page/texts.js", SCRIPT, "texts.js"),
    ("/page/upload.js", SCRIPT, "upload.js"),
];

const SAMPLE: &[u8] = include_bytes!("../../page/sample.csv");

/// The routes of the page and its files, and the sample of a file.
pub(super) fn page_routes() -> Router {
    let pages = Arc::new(Language::ALL.map(Document::of_page));
    let sample = Document::new("text/csv; charset=utf-8", SAMPLE.to_vec());
    let attachment = [(
        header::CONTENT_DISPOSITION,
        "attachment; filename=\"sample.csv\"",
    )];
    let sample = async move |headers: HeaderMap| (attachment, sample.answer(&headers));
    let page = Router::new()
        .route("/", get(page))
        .with_state(pages)
        .route("/sample.csv", get(sample));
    FILES
        .into_iter()
        .fold(page, |router, (address, content_type, bytes)| {
            let document = Document::new(content_type, bytes.to_vec());
            let answer = async move |headers: HeaderMap| document.answer(&headers);
            router.route(address, get(answer))
        })
}

/// What the address of the page may ask for.
#[derive(Debug, Deserialize)]
struct Choice {
    lang: Option<String>,
}

async fn page(
    State(pages): State<Arc<[Document; Language::ALL.len()]>>,
    choice: Result<Query<Choice>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    // A query that is none is as good as no query.
    let chosen = choice.ok().and_then(|Query(choice)| choice.lang);
    let language = chosen
        .and_then(|tag| Language::of_tag(&tag))
        .unwrap_or_else(|| Language::preferred(&headers));
    let mut response = pages[language as usize].answer(&headers);
    let further = [
        (header::VARY, "accept-language"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let further = further.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(further);
    response
}

/// Something that a browser may keep, and asks for again by its hash.
#[derive(Clone, Debug)]
struct Document {
    content_type: &'static str,
    etag: String,
    bytes: axum::body::Bytes,
}

impl Document {
    fn new(content_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = hex::encode(Sha256::digest(&bytes));
        Self {
            content_type,
            etag: format!("\"{}\"", &hash[..32]),
            bytes: bytes.into(),
        }
    }

    /// The page in a language.
    fn of_page(language: Language) -> Self {
        let html = filled(include_str!("../../page/index.html"), language.texts());
        Self::new("text/html; charset=utf-8", html.into_bytes())
    }

    /// A 304 where the browser has it. It asks each time, so that a new version
    /// of the service never meets files of the old one.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers.get_all(header::IF_NONE_MATCH).iter();
        let is_known = known
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim().trim_start_matches("W/") == self.etag);
        let kept: [(HeaderName, &str); 3] = [
            (header::ETAG, &self.etag),
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        (kept, content_type, self.bytes.clone()).into_response()
    }
}

/// The page with its texts: `{{name}}` each, and all of them for its scripts.
fn filled(html: &str, texts: &str) -> String {
    // That they can be read is tested.
    let named: BTreeMap<String, String> = serde_json::from_str(texts).unwrap_or_default();
    // `</script>` in a text must not end the script that holds it.
    let for_scripts = texts.replace('<', "\\u003c");
    named
        .iter()
        .fold(html.to_owned(), |html, (name, text)| {
            html.replace(&format!("{{{{{name}}}}}"), &escaped(text))
        })
        .replace("{{texts}}", &for_scripts)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(language: Language) -> BTreeSet<String> {
        let texts: BTreeMap<String, String> = serde_json::from_str(language.texts()).unwrap();
        texts.into_keys().collect()
    }

    #[test]
    fn every_language_has_every_text_and_the_page_has_no_gaps() {
        let english = names(Language::English);
        let portuguese: BTreeSet<String> = names(Language::Portuguese)
            .into_iter()
            // In English the service itself says why a row was rejected.
            .filter(|name| !name.starts_with("reason_"))
            .collect();
        assert_eq!(english, portuguese);
        for language in Language::ALL {
            let page = Document::of_page(language);
            let html = String::from_utf8(page.bytes.to_vec()).unwrap();
            assert!(!html.contains("{{"), "{html}");
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        }
    }

    #[test]
    fn every_text_of_the_scripts_is_there() {
        let named = names(Language::English);
        let mut asked = 0;
        for (address, _, bytes) in FILES {
            let script = std::str::from_utf8(bytes).unwrap();
            for call in script.split("text('").skip(1) {
                let name = call.split('\'').next().unwrap();
                assert!(named.contains(name), "{address}: {name}");
                asked += 1;
            }
        }
        assert!(asked > 20, "{asked}");
    }

    #[test]
    fn texts_cannot_leave_their_place() {
        let texts = r#"{"a":"<b> & \"c\"","d":"</script>"}"#;
        let page = filled("<p title=\"{{a}}\">{{d}}</p>{{texts}}", texts);
        assert!(page.starts_with(
            "<p title=\"&lt;b> &amp; &quot;c&quot;\">&lt;/script></p>{\"a\":\"\\u003cb>"
        ));
        assert!(!page.contains("</script>"), "{page}");
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let document = Document::new("text/plain", b"text".to_vec());
        let status = |known: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, known.parse().unwrap())]);
            document.answer(&headers).status()
        };
        let etag = &document.etag;
        assert_eq!(status(etag), StatusCode::NOT_MODIFIED);
        assert_eq!(
            status(&format!("\"x\", W/{etag}")),
            StatusCode::NOT_MODIFIED
        );
        assert_eq!(status("\"x\""), StatusCode::OK);
    }
}
