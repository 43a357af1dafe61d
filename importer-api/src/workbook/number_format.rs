//! What a format of Excel makes of a whole number (ECMA-376, 18.8.31), as far as
//! documents and ids are written with one.

/// How a whole number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its digits, with something between them or not.
    Digits,
    /// With zeros before it, up to so many digits: `00000000000`, or a CPF as
    /// `000\.000\.000\-00`.
    Padded(usize),
    /// With letters or digits that are not its own: `"INV-"0000`.
    Otherwise,
}

/// How a format shows that number, which is not negative.
pub(super) fn shown(number: f64, format: &str) -> Shown {
    let mut rest = format;
    loop {
        let (section, behind) = split_section(rest);
        if condition(section).is_none_or(|holds| holds(number)) {
            return shown_by(section);
        }
        match behind {
            Some(behind) => rest = behind,
            None => return Shown::Digits,
        }
    }
}

/// A format's first section, and the others.
fn split_section(format: &str) -> (&str, Option<&str>) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, character) in format.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '\\' | '_' | '*' => is_escaped = true,
            ';' => return (&format[..place], Some(&format[place + 1..])),
            _ => {}
        }
    }
    (format, None)
}

/// For which numbers a section is, if it says so: `[<=99999999999]`.
fn condition(section: &str) -> Option<impl Fn(f64) -> bool> {
    let mut rest = section;
    while let Some(behind) = rest.strip_prefix('[') {
        let (inner, behind) = behind.split_once(']')?;
        let operator = inner.len() - inner.trim_start_matches(['<', '>', '=']).len();
        let (operator, limit) = inner.split_at(operator);
        if let Ok(limit) = limit.parse::<f64>() {
            let operator = operator.to_owned();
            return Some(move |number: f64| match &*operator {
                "<" => number < limit,
                "<=" => number <= limit,
                ">" => number > limit,
                ">=" => number >= limit,
                "=" => (number - limit).abs() < 0.5,
                _ => (number - limit).abs() >= 0.5,
            });
        }
        rest = behind;
    }
    None
}

fn shown_by(section: &str) -> Shown {
    let (mut zeros, mut is_padded, mut has_others) = (0, true, false);
    let mut characters = section.chars();
    while let Some(character) = characters.next() {
        match character {
            '0' => zeros += 1,
            '"' => {
                let quoted = characters.by_ref().take_while(|c| *c != '"');
                has_others |= quoted.fold(false, |has, c| has | c.is_alphanumeric());
            }
            '\\' => has_others |= characters.next().is_some_and(char::is_alphanumeric),
            // A width, and what fills the cell.
            '_' | '*' => _ = characters.next(),
            '[' => _ = characters.by_ref().find(|c| *c == ']'),
            '-' | '/' | ' ' | '(' | ')' => {}
            // A decimal point, digits as needed, a percentage, General, a date.
            _ => is_padded = false,
        }
    }
    if has_others {
        Shown::Otherwise
    } else if is_padded && zeros > 0 {
        Shown::Padded(zeros)
    } else {
        Shown::Digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_found_in_the_formats_that_people_use() {
        const BOTH: &str = r"[<=99999999999]000\.000\.000\-00;00\.000\.000\/0000\-00";
        for (format, number, expected) in [
            ("00000000000", 1.0, Shown::Padded(11)),
            (r"000\.000\.000\-00", 1.0, Shown::Padded(11)),
            (r#"000"."000"."000"-"00"#, 1.0, Shown::Padded(11)),
            (BOTH, 99_999_999_999.0, Shown::Padded(11)),
            (BOTH, 100_000_000_000.0, Shown::Padded(14)),
            ("[Red][<5]0;00", 7.0, Shown::Padded(2)),
            ("[$-416]00000;@", 7.0, Shown::Padded(5)),
            ("0", 7.0, Shown::Padded(1)),
            ("00;;;", 7.0, Shown::Padded(2)),
            ("", 7.0, Shown::Digits),
            ("General", 7.0, Shown::Digits),
            ("@", 7.0, Shown::Digits),
            ("0.00", 7.0, Shown::Digits),
            ("#,##0", 7.0, Shown::Digits),
            ("0%", 7.0, Shown::Digits),
            ("000.000.000-00", 7.0, Shown::Digits),
            (r#""INV-"0000"#, 7.0, Shown::Otherwise),
            (r"\A0000", 7.0, Shown::Otherwise),
        ] {
            let found = shown(number, format);
            assert_eq!(found, expected, "{format}");
        }
    }
}
