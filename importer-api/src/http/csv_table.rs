//! Tables that spreadsheets open: they take no cell for a formula, and change none.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::ToSchema;

pub(super) const CSV: &str = "text/csv; charset=utf-8";

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

/// How months, in Portuguese and English, and currencies begin, in small letters.
const BEGINNINGS: [&str; 22] = [
    "jan", "feb", "fev", "mar", "apr", "abr", "may", "mai", "jun", "jul", "aug", "ago", "sep",
    "set", "oct", "out", "nov", "dec", "dez", "usd", "brl", "eur",
];
/// The other words that are in a number or a time.
const WORDS: [&str; 7] = ["e", "r", "us", "h", "am", "pm", "true"];
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
            WORDS.contains(&&*word) || BEGINNINGS.iter().any(|begin| word.starts_with(begin))
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
}
