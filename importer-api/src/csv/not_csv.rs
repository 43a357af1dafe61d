use std::fmt;

/// Bytes at the start of a file that tell what it is.
const TELLING: usize = 4 * 1024;

/// What people upload that is no CSV, and no workbook that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCsv {
    /// A workbook of a spreadsheet.
    Workbook(&'static str),
    /// A file that holds others, or one in less room.
    Archive(&'static str),
    /// A page, perhaps with a table in it.
    Html,
    /// Something else, by its name.
    Other(&'static str),
}

impl NotCsv {
    /// What the file that starts so is, where its first bytes say so: whatever
    /// header may stand behind them.
    pub fn by_signature(head: &[u8]) -> Option<Self> {
        const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
        let head = &head[..head.len().min(TELLING)];
        let kind = infer::get(head).map(|kind| kind.extension());
        Some(match kind {
            // The older Office formats share one container, and what has a password
            // is in one too.
            _ if head.starts_with(OLE) => {
                Self::Workbook("an Excel workbook of the older format (.xls) or with a password")
            }
            Some("pdf") => Self::Other("a PDF"),
            Some("gz") => Self::Archive("a gzip file"),
            Some("zip" | "rar" | "7z" | "bz2" | "xz" | "zst" | "tar") => {
                Self::Archive("an archive")
            }
            Some("rtf" | "docx" | "odt") => Self::Other("a text document"),
            Some("jpg" | "png" | "gif" | "webp" | "tif" | "bmp") => Self::Other("a picture"),
            Some("sqlite" | "parquet") => Self::Other("a database or a table of one"),
            _ => return None,
        })
    }

    /// What the text that starts so is, where it has no header.
    pub fn by_text(head: &[u8]) -> Option<Self> {
        let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
        match text.trim_ascii_start() {
            [b'P', b'A', b'R', b'1', ..] => Some(Self::Other("a table of a database (Parquet)")),
            [b'<', b'?', ..] => Some(Self::Other("an XML file")),
            [b'<', ..] => Some(Self::Html),
            [b'{' | b'[', ..] => Some(Self::Other("JSON")),
            _ => None,
        }
    }
}

/// What it is, and what to do.
impl fmt::Display for NotCsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workbook(kind) => write!(
                f,
                "the file is {kind}; open it and save it without a password as an Excel workbook (.xlsx): in Excel by File > Save As > Excel Workbook, in LibreOffice by File > Save As > Excel 2007-365, or save it as CSV UTF-8. Upload that file"
            ),
            Self::Archive(kind) => write!(f, "the file is {kind}; unpack it and upload the CSV or .xlsx that is in it"),
            Self::Html => f.write_str(
                "the file is an HTML page, whatever its name says; open it in a spreadsheet, save it as CSV UTF-8 and upload that file",
            ),
            Self::Other(kind) => write!(f, "the file is {kind}; export the debts as CSV or .xlsx and upload that file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_upload_is_known_by_its_content() {
        for (head, said) in [
            (&b"%PDF-1.7\n"[..], "a PDF"),
            (b"\x1f\x8b\x08\0", "a gzip file"),
            (b"PK\x05\x06\0\0\0\0", "an archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", ".xls"),
            (b"<!DOCTYPE html><table>", "HTML"),
            (b"\xef\xbb\xbf\r\n<table border=1>", "HTML"),
            (b"<?xml version=\"1.0\"?><Workbook>", "XML"),
            (b"[{\"name\":", "JSON"),
            (b"{\"name\":", "JSON"),
            (b"\x89PNG\r\n\x1a\n", "a picture"),
        ] {
            let found = NotCsv::by_signature(head)
                .or_else(|| NotCsv::by_text(head))
                .map(|kind| kind.to_string())
                .unwrap_or_default();
            assert!(found.contains(said), "{said}: {found}");
        }
        for head in [&b"name,governmentId"[..], b"", b"Relat\xf3rio;;"] {
            assert_eq!(
                NotCsv::by_signature(head).or_else(|| NotCsv::by_text(head)),
                None
            );
        }
    }
}
