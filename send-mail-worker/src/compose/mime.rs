use contract::BilledBoleto;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{MultiPart, SinglePart};

use super::content::Content;

/// The boleto as a file.
pub(super) struct Attachment {
    name: String,
    pdf: Vec<u8>,
}

impl Attachment {
    /// That slip, as the file of that boleto.
    pub(super) fn of(boleto: &BilledBoleto, pdf: Vec<u8>) -> Self {
        Self {
            name: slip::file_name(boleto),
            pdf,
        }
    }
}

/// The body: text and HTML as alternatives and, where there is one, the
/// boleto beside them.
pub(super) fn parts(
    content: &Content,
    attachment: Option<Attachment>,
    message_id: &str,
) -> MultiPart {
    let words = MultiPart::alternative()
        .boundary(boundary("words", message_id))
        .singlepart(text(ContentType::TEXT_PLAIN, content.text()))
        .singlepart(text(ContentType::TEXT_HTML, content.html()));
    match attachment {
        None => words,
        Some(attachment) => MultiPart::mixed()
            .boundary(boundary("mixed", message_id))
            .multipart(words)
            .singlepart(file(attachment)),
    }
}

/// The same for the same message: one that is sent a second time has the same
/// bytes. No quoted-printable or base64 can hold `=_` (RFC 2045, section 6.7),
/// so whatever the parts say, they do not end early.
fn boundary(part: &str, message_id: &str) -> String {
    let id = message_id.split('@').next().unwrap_or_default();
    let id = id.chars().filter(char::is_ascii_alphanumeric).take(40);
    format!("=_{part}_{}", id.collect::<String>())
}

fn text(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder()
        .header(kind)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(text)
}

/// Always base64: bytes that happen to be ASCII would go as lines of text, and
/// a mail server may change the ends of lines.
fn file(attachment: Attachment) -> SinglePart {
    let kind = ContentType::parse("application/pdf")
        .unwrap_or_else(|error| unreachable!("it is a media type: {error}"));
    SinglePart::builder()
        .header(kind)
        .header(ContentDisposition::attachment(&attachment.name))
        .header(ContentTransferEncoding::Base64)
        .body(attachment.pdf)
}
