//! The parameters of a header: `form-data; name="file"; filename="a.csv"`.

/// What stands before the parameters of a header.
pub(super) fn main_value(header: &[u8]) -> &[u8] {
    up_to(header, b";").0.trim_ascii()
}

/// The first parameter of that name, whose case does not matter (RFC 2183,
/// RFC 9110 section 5.6.6).
///
/// A quoted value ends at its quote, whatever stands in it. Of its backslashes
/// only those before a quote or a backslash escape something: Internet
/// Explorer sends `filename="C:\a.csv"`.
pub(super) fn parameter(header: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut rest = up_to(header, b";").1;
    while let Some(parameter) = rest.strip_prefix(b";") {
        let (name, behind) = up_to(parameter, b"=;");
        let Some(value) = behind.strip_prefix(b"=") else {
            rest = behind;
            continue;
        };
        let (value, behind) = read_value(value.trim_ascii_start());
        if name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(value);
        }
        rest = up_to(behind, b";").1;
    }
    None
}

/// A text before and from the first of these bytes.
fn up_to<'a>(text: &'a [u8], ends: &[u8]) -> (&'a [u8], &'a [u8]) {
    let end = text.iter().position(|byte| ends.contains(byte));
    text.split_at(end.unwrap_or(text.len()))
}

/// A value, quoted or not, and what follows it.
fn read_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let (value, rest) = up_to(text, b";");
        return (value.trim_ascii_end().to_vec(), rest);
    };
    let mut value = Vec::new();
    loop {
        rest = match rest {
            [] => return (value, rest),
            [b'"', behind @ ..] => return (value, behind),
            [b'\\', byte @ (b'"' | b'\\'), behind @ ..] | [byte, behind @ ..] => {
                value.push(*byte);
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(header: &str, name: &str) -> Option<String> {
        parameter(header.as_bytes(), name).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_name_is_found_whatever_the_other_parameters_hold() {
        for header in [
            r#"form-data; name="file""#,
            r#"form-data; name="file"; filename="name=other.csv""#,
            r#"form-data; filename="contas name=janeiro.csv"; name="file""#,
            r#"form-data; filename="a; name=outro; filename=b.csv"; name="file""#,
            r#"form-data; filename="a\"; name=\"b.csv"; name="file""#,
            r#"form-data; filename="C:\dados\a.csv"; name="file""#,
            r#"form-data; filename="\\server\a.csv"; name="file""#,
            r#"form-data; filename="a"b.csv"; name="file""#,
            r"form-data; filename=a name=b.csv; name=file",
            r#"form-data; filename*=UTF-8''name%3Db.csv; name="file""#,
            r#"form-data; name*=UTF-8''other; name="file""#,
            r"form-data; filename=; name=file",
            r"form-data; flag; name=file",
            r"form-data;;name=file;",
            "form-data\t;\tNAME\t=\t\"file\"\t;\tFileName = a.csv ",
            r"form-data;name=file;filename=a.csv;filename*=utf-8''a.csv",
            r#"form-data; name="file"; name="other""#,
            r"; name=file",
        ] {
            assert_eq!(text(header, "name").as_deref(), Some("file"), "{header}");
        }
        for header in [
            "",
            "form-data",
            "name=file",
            "form-data; name",
            r#"form-data; filename="; name=file"#,
            r"form-data; filename=x name=file",
            "form-data; name*=UTF-8''file",
        ] {
            assert_eq!(text(header, "name"), None, "{header}");
        }
    }

    #[test]
    fn escapes_are_undone_and_the_folders_of_windows_stay() {
        for (header, value) in [
            (r#"x; filename="a\"b\\c.csv""#, r#"a"b\c.csv"#),
            (r#"x; filename="C:\dados\a.csv""#, r"C:\dados\a.csv"),
            (r#"x; filename="a%22b.csv""#, "a%22b.csv"),
            (r#"x; filename=" a ""#, " a "),
            (r#"x; filename="""#, ""),
            (r#"x; filename="a"#, "a"),
            (r"x; filename= a b.csv ;", "a b.csv"),
        ] {
            assert_eq!(text(header, "filename").as_deref(), Some(value), "{header}");
        }
        assert_eq!(main_value(b" form-data ; name=x"), b"form-data");
        assert_eq!(main_value(b"form-data"), b"form-data");
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(before in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
            let quoted = |bytes: &[u8]| -> Vec<u8> {
                let escaped = bytes.iter().flat_map(|byte| match byte {
                    b'"' | b'\\' => vec![b'\\', *byte],
                    byte => vec![*byte],
                });
                [b'"'].into_iter().chain(escaped).chain([b'"']).collect()
            };
            let header = [b"x; a=", &*quoted(&before), b" ; b=", &quoted(&value)].concat();
            prop_assert_eq!(parameter(&header, "B"), Some(value));
        }

        #[test]
        fn nothing_panics(header in any::<Vec<u8>>()) {
            let _ = (main_value(&header), parameter(&header, "name"));
        }
    }
}
