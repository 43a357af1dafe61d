//! What a format of Excel makes of a whole number (ECMA-376, 18.8.31), as far as
//! documents and ids are written with one.

/// The language and country of a `$` that is shown for R$.
const BRAZIL: &str = "416";

/// How a whole number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its digits, and nothing else.
    Digits,
    /// With zeros before it, up to so many digits: `00000000000`.
    Padded(usize),
    /// So many digits with signs between them: a CPF as `000\.000\.000\-00`.
    Masked(usize),
    /// In another way, such as with decimals or as a percentage.
    Reformatted,
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

/// What a format shows beside an amount that is none of reais: another currency,
/// a percentage, words. `None` where there is nothing of that kind. A `$` alone
/// is the sign of whatever currency the spreadsheet is of.
pub(super) fn beside_reais(format: &str) -> Option<String> {
    let (section, _) = split_section(format);
    let signs = Signs::of(section);
    let is_real = |text: &str| matches!(text, "" | "R$" | "$" | "BRL" | "E");
    let text = signs.others;
    (!is_real(&text)).then_some(text)
}

/// Whether a format shows day, month and year of a date. One that is not known
/// does.
pub(super) fn shows_whole_date(format: &str) -> bool {
    let (section, _) = split_section(format);
    let tokens = Signs::of(section).others.to_ascii_lowercase();
    let days = tokens.split(|c| c != 'd').map(str::len);
    format.is_empty()
        || (days.into_iter().any(|length| matches!(length, 1 | 2))
            && tokens.contains('m')
            && tokens.contains('y'))
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
    let Signs {
        zeros,
        is_plain,
        has_marks,
        others,
    } = Signs::of(section);
    if others.contains(char::is_alphanumeric) {
        Shown::Otherwise
    } else if !is_plain || !others.is_empty() {
        Shown::Reformatted
    } else if has_marks && zeros > 0 {
        Shown::Masked(zeros)
    } else if has_marks {
        Shown::Reformatted
    } else if zeros > 0 {
        Shown::Padded(zeros)
    } else {
        Shown::Digits
    }
}

/// What stands in a section.
struct Signs {
    /// Digits that are shown in any case.
    zeros: usize,
    /// It has no decimals, no thousands and no digits as needed beside the zeros.
    is_plain: bool,
    /// It has signs that are between the parts of a document.
    has_marks: bool,
    /// Letters, and whatever else it shows.
    others: String,
}

impl Signs {
    fn of(section: &str) -> Self {
        let mut signs = Self {
            zeros: 0,
            is_plain: true,
            has_marks: false,
            others: String::new(),
        };
        if section.eq_ignore_ascii_case("general") || section == "@" || section == "#" {
            return signs;
        }
        let mut characters = section.chars();
        while let Some(character) = characters.next() {
            match character {
                '0' => signs.zeros += 1,
                '"' => {
                    let quoted = characters.by_ref().take_while(|c| *c != '"');
                    quoted.for_each(|character| signs.show(character));
                }
                '\\' => characters.next().into_iter().for_each(|c| signs.show(c)),
                // A width, and what fills the cell.
                '_' | '*' => _ = characters.next(),
                '[' => {
                    let inner: String = characters.by_ref().take_while(|c| *c != ']').collect();
                    if let Some(currency) = inner.strip_prefix('$') {
                        let (sign, place) = currency.rsplit_once('-').unwrap_or((currency, ""));
                        sign.chars().for_each(|character| signs.show(character));
                        if sign == "$" && !matches!(place, "" | BRAZIL) {
                            signs.others.push_str(place);
                        }
                    }
                }
                '#' | '?' | '.' | ',' => signs.is_plain = false,
                character => signs.show(character),
            }
        }
        signs
    }

    fn show(&mut self, character: char) {
        match character {
            '-' | '/' | '.' | ',' | ':' | '(' | ')' | '+' => self.has_marks = true,
            character if character.is_whitespace() => self.has_marks = true,
            character => self.others.push(character),
        }
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
            (r"000\.000\.000\-00", 1.0, Shown::Masked(11)),
            (r#"000"."000"."000"-"00"#, 1.0, Shown::Masked(11)),
            (BOTH, 99_999_999_999.0, Shown::Masked(11)),
            (BOTH, 100_000_000_000.0, Shown::Masked(14)),
            ("[Red][<5]0;00", 7.0, Shown::Padded(2)),
            ("[$-416]00000;@", 7.0, Shown::Padded(5)),
            ("0", 7.0, Shown::Padded(1)),
            ("00;;;", 7.0, Shown::Padded(2)),
            ("", 7.0, Shown::Digits),
            ("General", 7.0, Shown::Digits),
            ("@", 7.0, Shown::Digits),
            ("#", 7.0, Shown::Digits),
            ("0.00", 7.0, Shown::Reformatted),
            ("#,##0", 7.0, Shown::Reformatted),
            ("0%", 7.0, Shown::Reformatted),
            ("000.000.000-00", 7.0, Shown::Reformatted),
            ("0000-00", 7.0, Shown::Masked(6)),
            (r#"00"/"00"#, 7.0, Shown::Masked(4)),
            ("[$N-416]0000", 7.0, Shown::Otherwise),
            (r"0000\-A", 7.0, Shown::Otherwise),
            (r#""INV-"0000"#, 7.0, Shown::Otherwise),
            (r"\A0000", 7.0, Shown::Otherwise),
        ] {
            let found = shown(number, format);
            assert_eq!(found, expected, "{format}");
        }
    }

    #[test]
    fn an_amount_is_shown_in_reais_or_in_doubt() {
        for format in [
            "",
            "General",
            "0.00",
            "#,##0.00",
            "0.00E+00",
            "$#,##0.00",
            r#""R$"\ #,##0.00"#,
            r"[$R$-416]\ #,##0.00;[Red]\-[$R$-416]\ #,##0.00",
            r#"_-"R$"\ * #,##0.00_-;\-"R$"\ * #,##0.00_-"#,
            r#"_-* #,##0.00_-;\-* #,##0.00_-;_-* "-"??_-;_-@_-"#,
            "[$-416]#,##0.00",
        ] {
            assert_eq!(beside_reais(format), None, "{format}");
        }
        for (format, shown) in [
            ("[$$-409]#,##0.00", Some("$409")),
            ("[$USD] 0.00", Some("USD")),
            ("[$€-2] 0.00", Some("€")),
            (r#""US$" #,##0.00"#, Some("US$")),
            ("0%", Some("%")),
            (r#"0" parcelas""#, Some("parcelas")),
            (r#""PAGO""#, Some("PAGO")),
        ] {
            assert_eq!(beside_reais(format).as_deref(), shown, "{format}");
        }
    }

    #[test]
    fn a_date_is_whole_with_day_month_and_year() {
        for (format, expected) in [
            ("", true),
            ("dd/mm/yyyy", true),
            ("mm-dd-yy", true),
            (r"[$-416]d\ \d\e\ mmmm\ \d\e\ yyyy;@", true),
            ("m/d/yyyy h:mm", true),
            ("mmm/yy", false),
            ("dd/mmm", false),
            ("yyyy", false),
            ("dddd", false),
        ] {
            assert_eq!(shows_whole_date(format), expected, "{format}");
        }
    }
}
