/// Most characters that are kept of a file's name.
const MAX_CHARACTERS: usize = 255;

/// A client's name for its file, fit for a manifest, a log line and a page:
/// without folders, control characters and marks that turn text around, and
/// not longer than file systems have it. `None` where nothing is left.
pub(super) fn shown_file_name(given: &str) -> Option<String> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = name
        .chars()
        .filter(|character| !is_hidden(*character))
        .take(MAX_CHARACTERS)
        .collect();
    let shown = shown.trim();
    (!matches!(shown, "" | "." | "..")).then(|| shown.to_owned())
}

/// Control characters, line and paragraph separators, and the marks that
/// change the direction of text (Unicode Standard Annex 9).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_is_kept_of_what_a_client_gives() {
        let cases = [
            ("débitos 2027.csv", Some("débitos 2027.csv")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\ana\\a.csv", Some("a.csv")),
            ("a\r\nMail sent\0.csv", Some("aMail sent.csv")),
            ("\u{202e}vsc.a\u{2028}\u{7f}", Some("vsc.a")),
            ("a\"b'.csv", Some("a\"b'.csv")),
            ("folder/", None),
            ("..", None),
            (" \t", None),
            ("", None),
        ];
        for (given, shown) in cases {
            assert_eq!(shown_file_name(given).as_deref(), shown, "{given:?}");
        }
        let long = "é".repeat(300);
        assert_eq!(shown_file_name(&long).unwrap().chars().count(), 255);
    }
}
