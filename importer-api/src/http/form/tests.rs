use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream;
use proptest::prelude::*;

use super::*;

fn limits() -> FormLimits {
    FormLimits {
        bytes: 1 << 30,
        pace: Pace::new(Duration::from_secs(30)),
    }
}

fn form(body: Body) -> Form {
    Form::new(b"multipart/form-data; boundary=b", body, limits()).unwrap()
}

/// A body that never ends, and the number of bytes that were taken of it.
fn endless(start: &'static str) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let rest = stream::repeat_with(move || {
        counter.fetch_add(8 * 1024, Ordering::Relaxed);
        Bytes::from(vec![b'x'; 8 * 1024])
    });
    let pieces = stream::iter([Bytes::from_static(start.as_bytes())]).chain(rest);
    let body = Body::from_stream(pieces.map(Ok::<_, std::io::Error>));
    (body, taken)
}

#[tokio::test]
async fn what_is_no_part_is_given_up_before_it_fills_the_memory() {
    for start in [
        "",
        "--b\r\n",
        "--b\r\ncontent-disposition: form-data; name=\"",
    ] {
        let (body, taken) = endless(start);
        let error = form(body).next_field().await.unwrap_err();
        let is_head = matches!(error, FormError::NoPart | FormError::BadHead);
        assert!(is_head, "{start:?}: {error}");
        assert!(taken.load(Ordering::Relaxed) <= MAX_HEAD_BYTES + 8 * 1024);
    }
}

#[tokio::test]
async fn a_file_comes_piece_by_piece_however_fast_it_is_sent() {
    let (body, taken) = endless("--b\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n");
    let mut form = form(body);
    let mut field = form.next_field().await.unwrap().unwrap();
    let mut got = 0;
    while got < 1 << 20 {
        got += field.chunk().await.unwrap().unwrap().len();
        assert!(taken.load(Ordering::Relaxed) <= got + 16 * 1024);
    }
}

/// A file's name, and its content.
type Part = (Option<String>, Vec<u8>);

/// The file name and the content of each field `f`, where the body comes in
/// pieces of that many bytes.
async fn files(body: &[u8], piece: usize) -> Result<Vec<Part>, FormError> {
    let pieces: Vec<_> = body.chunks(piece).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    let mut form = form(Body::from_stream(pieces));
    let mut files = Vec::new();
    while let Some(mut field) = form.next_field().await? {
        if !field.is("f") {
            continue;
        }
        field.check_transfer_encoding()?;
        let (name, mut content) = (field.file_name(), Vec::new());
        while let Some(piece) = field.chunk().await? {
            content.extend_from_slice(&piece);
        }
        files.push((name, content));
    }
    Ok(files)
}

/// The same for any size of the pieces.
async fn all_files(body: &[u8]) -> Result<Vec<Part>, FormError> {
    let whole = files(body, body.len().max(1)).await;
    for piece in 1..body.len().min(40) {
        let pieces = files(body, piece).await;
        assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "{piece}");
    }
    whole
}

#[tokio::test]
async fn a_form_is_read_as_any_client_writes_it() {
    const F: &str = "Content-Disposition: form-data; name=\"f\"; filename=\"a.csv\"";
    let forms = [
        format!("--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
        // The end of a line, and what may follow the last.
        format!("--b\r\n{F}\r\n\r\ndata\r\n--b--"),
        format!("--b\r\n{F}\r\n\r\ndata\r\n--b-- \r\nepilogue\r\n--b\r\n"),
        format!("--b\n{F}\n\ndata\n--b--\n"),
        // Before the first boundary, and behind one.
        format!("\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
        format!("preamble\r\n--b \t\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
        format!("\u{feff}--b\r\n{F}\r\n\r\ndata\r\n--b--\r\n"),
        // Headers.
        format!(
            "--b\r\nX: y\r\n{}\r\n\r\ndata\r\n--b--",
            F.to_uppercase()
                .replace("\"F\"", "\"f\"")
                .replace("A.CSV", "a.csv")
        ),
        format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace(": ", " :\t")),
        format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace("; ", ";\r\n ")),
        format!("--b\r\n{}\r\n\r\ndata\r\n--b--", F.replace("; ", "\n\t; ")),
        format!("--b\r\n{F}\r\nContent-Transfer-Encoding:  8BIT \r\n\r\ndata\r\n--b--"),
        // Other fields: without a head or content, or in an encoding.
        format!("--b\r\n\r\nx\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
        format!("--b\r\nX: y\r\n\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
        format!("--b\r\nX: y\r\n\r\n\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"),
        format!(
            "--b\r\nX: y\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--b\r\n{F}\r\n\r\ndata\r\n--b--"
        ),
    ];
    let expected = [(Some("a.csv".to_owned()), b"data".to_vec())];
    for body in forms {
        let found = all_files(body.as_bytes()).await;
        assert_eq!(found.unwrap(), expected, "{body}");
    }
}

#[tokio::test]
async fn content_is_what_stands_between_boundaries_to_the_byte() {
    for content in [
        "",
        "\r",
        "\n",
        "\r\n",
        "x--b",
        "a\r\n-",
        "\r\n--",
        "a\n--a\r\r",
        "\n\n",
    ] {
        let body =
            format!("--b\r\ncontent-disposition: form-data; name=f\r\n\r\n{content}\r\n--b--\r\n");
        let found = all_files(body.as_bytes()).await.unwrap();
        assert_eq!(found, [(None, content.as_bytes().to_vec())], "{content:?}");
    }
}

#[tokio::test]
async fn a_file_name_is_read_in_any_encoding() {
    for (name, shown) in [
        (&b"d\xc3\xa9bitos.csv"[..], "débitos.csv"),
        (b"d\xe9bitos.csv", "débitos.csv"),
        (b"a%22b.csv", "a\"b.csv"),
        (b"a\\\"b.csv", "a\"b.csv"),
        (b"", ""),
    ] {
        let head = b"--b\r\ncontent-disposition: form-data; filename=\"";
        let body = [head, name, b"\"; name=\"f\"\r\n\r\ndata\r\n--b--"].concat();
        let found = files(&body, body.len()).await.unwrap();
        assert_eq!(found, [(Some(shown.to_owned()), b"data".to_vec())]);
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused_for_what_it_lacks() {
    let file = "--b\r\ncontent-disposition: form-data; name=f\r\n\r\ndata";
    let cases = [
        (String::new(), "does not begin with the boundary"),
        ("name,email\r\n".into(), "does not begin with the boundary"),
        ("-b\r\n".into(), "does not begin with the boundary"),
        (file.into(), "its final boundary"),
        (format!("{file}\r\n--b"), "its final boundary"),
        (format!("{file}\r\n--b-"), "its final boundary"),
        (format!("{file}--b--"), "its final boundary"),
        ("--b\r\nx: y\r\n".into(), "its final boundary"),
        ("--b x\r\nx: y\r\n\r\n".into(), "boundary and headers"),
        ("--bc\r\nx: y\r\n\r\n".into(), "boundary and headers"),
        ("--b\r\nname,email\r\n\r\n".into(), "boundary and headers"),
        ("--b\r\n x: y\r\n".into(), "its final boundary"),
    ];
    for (body, text) in cases {
        let error = all_files(body.as_bytes()).await.unwrap_err().to_string();
        assert!(error.contains(text), "{body:?}: {error}");
    }
    for encoding in ["base64", "Quoted-Printable", "x-uuencode", ""] {
        let header = format!("\r\ncontent-TRANSFER-encoding: {encoding}\r\n\r\n");
        let body = file.replace("\r\n\r\n", &header) + "\r\n--b--";
        let error = all_files(body.as_bytes()).await.unwrap_err().to_string();
        assert!(error.contains("Content-Transfer-Encoding"), "{error}");
    }
}

#[tokio::test]
async fn a_content_type_may_be_written_in_any_legal_way() {
    for content_type in [
        "multipart/form-data; boundary=b",
        "multipart/form-data;boundary=b",
        "Multipart/Form-Data; Boundary=b",
        "multipart/form-data; boundary=\"b\"",
        "multipart/form-data ;\tBOUNDARY = \"b\" ; charset=utf-8",
        "multipart/form-data; charset=utf-8; boundary=b",
        "multipart/form-data; charset=\"boundary=x\"; boundary=b;",
    ] {
        let body = "--b\r\ncontent-disposition: form-data; name=f\r\n\r\n\r\n--b--";
        let form = Form::new(content_type.as_bytes(), Body::from(body), limits());
        let mut form = form.unwrap_or_else(|e| panic!("{content_type}: {e}"));
        assert!(form.next_field().await.unwrap().unwrap().is("f"));
    }
    // What needs quotes, and often comes without.
    for boundary in ["----=_Part_1_2.3", "a:b/c,d?(e)", "a b"] {
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let body = format!("--{boundary}--");
        let form = Form::new(content_type.as_bytes(), body.into(), limits());
        assert!(form.unwrap().next_field().await.unwrap().is_none());
    }
    for (content_type, text) in [
        ("", "is not multipart/form-data"),
        ("text/csv", "is not multipart/form-data"),
        ("multipart/mixed; boundary=b", "is not multipart/form-data"),
        ("boundary=b", "is not multipart/form-data"),
        ("multipart/form-data", "has no boundary"),
        ("multipart/form-data; boundary", "has no boundary"),
        ("multipart/form-data; boundary=", "has no boundary"),
        ("multipart/form-data; boundary=\"\"", "has no boundary"),
        ("multipart/form-data; xboundary=b", "has no boundary"),
    ] {
        let error = Form::new(content_type.as_bytes(), Body::empty(), limits());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("the header Content-Type"), "{error}");
        assert!(error.contains(text), "{content_type}: {error}");
    }
}

proptest! {
    #[test]
    fn pieces_change_nothing(body in "(--b|--|b|\r|\n|\r\n|x:y|content-disposition: x; name=f| )*") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let _ = runtime.unwrap().block_on(all_files(body.as_bytes()));
    }
}
