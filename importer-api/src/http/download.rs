//! Tables that are made while the client takes them: as a CSV that spreadsheets open, or as JSON.

use std::borrow::Cow;
use std::fmt::Display;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tracing::warn;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) const CSV: &str = "text/csv; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Groups of rows that are read ahead of the client.
const GROUPS_AHEAD: usize = 1;
/// Tells spreadsheets that the text is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What separates the columns of a CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Separator {
    #[serde(alias = ",")]
    Comma,
    #[serde(alias = ";")]
    Semicolon,
    #[serde(alias = "\t")]
    Tab,
}

impl Separator {
    /// What separates the columns of an uploaded file; a comma where that is
    /// none of these, or the file is gone.
    pub(super) fn of_file(delimiter: Option<u8>) -> Self {
        match delimiter {
            Some(b';') => Self::Semicolon,
            Some(b'\t') => Self::Tab,
            _ => Self::Comma,
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "\t",
        }
    }
}

/// The answer stops before its end, so that it cannot be taken for a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the rows could not be read to their end")]
pub(super) struct Cut;

/// The groups of rows that a task hands over, read while the client takes them. What goes wrong
/// then cuts the answer off.
pub(super) fn groups<T, E, R>(
    import_id: Uuid,
    read: impl FnOnce(mpsc::Sender<Vec<T>>) -> R,
) -> impl Stream<Item = Result<Vec<T>, Cut>>
where
    T: Send + 'static,
    E: Display + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
{
    let (groups, taken) = mpsc::channel(GROUPS_AHEAD);
    let read = tokio::spawn(read(groups));
    ReceiverStream::new(taken)
        .map(Ok)
        .chain(end(import_id, read))
}

/// Nothing more, or the cut where the work that gave the rest failed.
pub(super) fn end<T, E>(
    import_id: Uuid,
    work: JoinHandle<Result<(), E>>,
) -> impl Stream<Item = Result<T, Cut>>
where
    T: Default,
    E: Display,
{
    stream::once(async move {
        match work.await {
            Ok(Ok(())) => Ok(T::default()),
            Ok(Err(error)) => {
                warn!(%import_id, %error, "Download cut off");
                Err(Cut)
            }
            Err(_) => Err(Cut),
        }
    })
}

/// The parts of a file as an answer: to be saved under that name, where it has one.
pub(super) fn answer<T: Into<Bytes> + 'static>(
    content_type: &str,
    file_name: Option<&str>,
    parts: impl Stream<Item = Result<T, Cut>> + Send + 'static,
) -> Response {
    let mut response = Body::from_stream(parts).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type);
    set(header::CACHE_CONTROL, "no-store");
    set(header::VARY, "accept");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(name) = file_name {
        set(
            header::CONTENT_DISPOSITION,
            &format!("attachment; filename=\"{name}\""),
        );
    }
    response
}

/// A part of a text that is there already.
pub(super) fn part(text: impl Into<String>) -> impl Stream<Item = Result<String, Cut>> {
    stream::once(std::future::ready(Ok(text.into())))
}

/// Whether a client would rather have that media type than a CSV, which it gets where it does not
/// say.
pub(super) fn prefers(media_type: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok()).unwrap_or("");
    accept
        .split(',')
        .filter_map(|range| range.split(';').next())
        .map(str::trim)
        .find(|range| [media_type, "text/csv", "text/*"].contains(range))
        == Some(media_type)
}

/// The first line of a CSV.
pub(super) fn csv_header<'a>(
    columns: impl IntoIterator<Item = &'a str>,
    separator: Separator,
) -> String {
    let mut csv = BYTE_ORDER_MARK.to_owned();
    push_csv(&mut csv, columns.into_iter().map(Some), separator);
    csv
}

/// Adds a line to a CSV. `None` is an empty cell.
pub(super) fn push_csv<'a>(
    csv: &mut String,
    cells: impl IntoIterator<Item = Option<&'a str>>,
    separator: Separator,
) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            csv.push_str(separator.text());
        }
        if let Some(text) = cell {
            push_cell(csv, text);
        }
    }
    csv.push_str("\r\n");
}

/// How words begin that are in a number, a day or a time, in small letters:
/// exponents, currencies, months in Portuguese and English.
const WORDS: [&str; 29] = [
    "jan", "feb", "fev", "mar", "apr", "abr", "may", "mai", "jun", "jul", "aug", "ago", "sep",
    "set", "oct", "out", "nov", "dec", "dez", "am", "pm", "r", "us", "usd", "brl", "eur", "h",
    "true", "e",
];
/// Digits of a number that a spreadsheet keeps.
const DIGITS: usize = 15;

/// A text that is no figure: what a spreadsheet would take for a number or a day
/// and change (`00044`, `1/3`, `12E5`, `mar-24`) gets the apostrophe that keeps it
/// a text. An upload is read without it.
pub(super) fn as_text(text: &str) -> Cow<'_, str> {
    if is_changed(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_changed(text: &str) -> bool {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.len() > DIGITS || (text.len() > 1 && text.starts_with('0'));
    }
    let mut words = text
        .split(|character: char| !character.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    !text.starts_with('\'')
        && text.contains(|digit: char| digit.is_ascii_digit())
        && words.all(|word| {
            let begins = |begin: &&str| match begin.len() {
                3 => word.starts_with(*begin),
                _ => word == **begin,
            };
            WORDS.iter().any(begins)
        })
}

/// Adds a cell, quoted unless it is a plain word or number. Text that a spreadsheet would take for a formula gets
/// an apostrophe before it (OWASP, CSV injection), which an upload is read without. A line break
/// becomes a sign: programs that do not know quotes would take what follows for a cell.
fn push_cell(csv: &mut String, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        csv.push_str(text);
        return;
    }
    csv.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        csv.push('\'');
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => csv.push('⏎'),
            '"' => csv.push_str("\"\""),
            character => csv.push(character),
        }
    }
    csv.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        let cell = |text| {
            let mut csv = String::new();
            push_cell(&mut csv, text);
            csv
        };
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@SUM(A1)"), "\"'@SUM(A1)\"");
        assert_eq!(cell("a \"b\"\r\n=c\n"), "\"a \"\"b\"\"⏎=c⏎\"");
        assert_eq!(cell("a\rb"), "\"a⏎b\"");
        assert_eq!(cell("-7"), "\"'-7\"");
        assert_eq!(cell("0071"), "0071");
    }

    #[test]
    fn what_a_spreadsheet_would_change_is_kept_a_text() {
        for text in [
            "00044",
            "1234567890123456",
            "1/3",
            "2024-01",
            "10.50",
            "12E5",
            "1e-7",
            "mar-24",
            "10 Dezembro 2024",
            "DEC15",
            "00:30",
            "(12)",
            "R$5",
            "$ 5,00",
            "10,50",
            "02/01/2027",
            "12:30 PM",
        ] {
            assert_eq!(as_text(text), format!("'{text}"));
        }
        for text in [
            "",
            "0",
            "44",
            "123456789012345",
            "NF-1024",
            "debt-2",
            "1adb6ccf-ff16-467f-bea7-5f05d494280f",
            "março",
            "'00044",
            "a1@dec.com",
            "2027-a",
        ] {
            assert_eq!(as_text(text), text);
        }
    }

    #[test]
    fn json_is_given_to_those_who_prefer_it() {
        let wants = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            prefers("application/json", &headers)
        };
        assert!(wants("application/json"));
        assert!(wants("application/json; q=1, text/csv"));
        assert!(!wants("text/csv, application/json"));
        assert!(!wants("*/*"));
        assert!(!prefers("application/json", &HeaderMap::new()));
    }
}
