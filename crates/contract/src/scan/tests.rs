use super::super::{Fields, OptionalFields};
use super::*;

const LAYOUT: Layout = Layout {
    delimiter: b',',
    columns: Fields([0, 1, 2, 3, 4, 5]),
    optional: OptionalFields::NONE,
    width: 7,
};

/// What is found at the start of a whole text, and its cells.
fn found(text: &str) -> (Scanned, Vec<String>) {
    let mut cells = Vec::new();
    let scanned = scan(text.as_bytes(), true, b',', Some(&LAYOUT), &mut cells);
    let text = |cell: &Cell| cell.text(text).unwrap().into_owned();
    (scanned, cells.iter().map(text).collect())
}

/// The physical lines of the record that a text begins with, if it is one.
fn lines(text: &str) -> Option<u64> {
    match found(text).0 {
        Scanned::Record { lines, .. } => Some(lines),
        _ => None,
    }
}

#[test]
fn a_record_is_cut_into_cells() {
    let (scanned, cells) = found("a, \"b\"\"c\" \n,d\n");
    assert!(matches!(scanned, Scanned::Refused { .. }), "{cells:?}");
    let (scanned, cells) = found("a, \"b\"\"c,\",=\"0\",TV 42\" x,,\" \"\r\nnext");
    assert_eq!(scanned, Scanned::Record { len: 31, lines: 1 });
    assert_eq!(cells, ["a", "b\"c,", "=\"0\"", "TV 42\" x", "", " "]);
}

#[test]
fn a_quote_out_of_place_refuses_its_line() {
    for line in [
        "\"a",
        "\"a\"b",
        "\"a\" ",
        "\"\"a",
        "a\"",
        "x,\"a",
        "\"a\\\"b\"",
        "=\"a\"b\"",
        "\"",
        "\"\n\"",
    ] {
        let text = format!("{line}\nz,1,2,3,4,5,\n");
        let first = line.find('\n').unwrap_or(line.len()) + 1;
        let refused = Scanned::Refused {
            len: first,
            reason: InvalidReason::Quotes,
        };
        assert_eq!(found(&text).0, refused, "{text:?}");
    }
}

#[test]
fn lines_are_joined_only_where_they_cannot_be_rows() {
    let joined = |name: &str, note: &str| lines(&format!("\"{name}\",1,2,3,4,5,\"{note}\"\n"));
    assert_eq!(joined("Bar\nFilial 2", ""), Some(2));
    assert_eq!(joined("Bar\r\nFilial, 2\r\n", "a\nb, c"), Some(4));
    assert_eq!(joined(&"x\n".repeat(MAX_LINE_BREAKS), ""), Some(11));
    assert_eq!(joined(&"x\n".repeat(MAX_LINE_BREAKS + 1), ""), None);
    assert_eq!(joined("\nBar", ""), None);
    // The end of a row, and the start of another.
    assert_eq!(joined("Bar,1,2,3,4,5,\nLoja", ""), None);
    assert_eq!(joined("Bar", "Loja\nAna,1,2,3,4,5,x"), None);
    // A row in between.
    assert_eq!(joined("Bar\nAna,1,2,3,4,5,6\nx", ""), None);
    // The name and what is none of ours may break, the five others not.
    assert_eq!(lines("a,1,2,3,4,\"5\n\",\n"), None);
    assert_eq!(lines("\"a\nb\",1,2,3,4\n"), None);
    assert_eq!(lines("\"a\nb\",1,2,3,4,5,6,7\n"), None);
    // A message was looked at before.
    let mut cells = Vec::new();
    let body = "a,1,2,3,4,\"\n5\"";
    let scanned = scan(body.as_bytes(), true, b',', None, &mut cells);
    assert_eq!(
        scanned,
        Scanned::Record {
            len: body.len(),
            lines: 2
        }
    );
}

#[test]
fn what_holds_nothing_is_no_record() {
    for text in ["\n", " \t\r\nx", ",,,,,,,,\n", "\"\",\"\",\n", "\r"] {
        assert!(
            matches!(found(text).0, Scanned::Blank { lines: 1, .. }),
            "{text:?}"
        );
    }
    assert_eq!(found("\0\u{1a}").0, Scanned::Blank { len: 2, lines: 0 });
    assert_eq!(found("").0, Scanned::End);
    for text in ["a\u{1a}", "\"a\"\0\0"] {
        assert_eq!(found(text).1, ["a"]);
    }
}

#[test]
fn a_record_has_bounds() {
    let long = "x".repeat(MAX_RECORD_BYTES + 1);
    let widest = ",".repeat(MAX_CELLS - 1) + "x";
    assert_eq!(found(&widest).1.len(), MAX_CELLS);
    let wide = format!("{widest},");
    let quoted = format!("\"{long}\"");
    let many = format!("\"\"{wide}");
    for text in [&long, &wide, &quoted, &many] {
        let text = format!("{text}\nz");
        let refused = Scanned::Refused {
            len: text.len() - 1,
            reason: InvalidReason::TooLarge,
        };
        assert_eq!(found(&text).0, refused);
    }
    let mut cells = Vec::new();
    for text in [&long, &quoted[..quoted.len() - 1]] {
        let scanned = scan(text.as_bytes(), false, b',', Some(&LAYOUT), &mut cells);
        assert_eq!(scanned, Scanned::Endless);
    }
}
