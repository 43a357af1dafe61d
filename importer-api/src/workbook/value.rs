//! The value of a cell → the text that a CSV has of it, so that the rules of a
//! CSV judge it. A number whose text is lost is written so that they refuse it.

use boleto::DocumentType;
use calamine::{DataRef, ExcelDateTime};
use contract::Column;
use jiff::civil::Date;

use super::number_format::{Shown, beside_reais, shown, shows_whole_date};

/// Digits of a number that Excel keeps.
const DIGITS: usize = 15;
/// The least number that has more.
const TOO_LONG: f64 = 1e15;

/// The text of a cell in that column, where it is one of the six. A line break
/// in it ends no line.
pub(super) fn text_of(value: &DataRef<'_>, column: Option<Column>, format: &str) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) => on_one_line(text, column),
        DataRef::SharedString(text) => on_one_line(text, column),
        DataRef::Bool(true) => "TRUE".to_owned(),
        DataRef::Bool(false) => "FALSE".to_owned(),
        DataRef::Error(error) => error.to_string(),
        #[expect(clippy::cast_precision_loss, reason = "no .xlsx has such a value")]
        DataRef::Int(number) => number_in(*number as f64, column, format),
        DataRef::Float(number) => number_in(*number, column, format),
        DataRef::DateTime(time) if time.is_duration() => number_text(time.as_f64()),
        DataRef::DateTime(time) => {
            let is_whole = shows_whole_date(format);
            date_in(&date_text(time), column, is_whole)
        }
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            date_in(&text.replacen('T', " ", 1), column, true)
        }
    }
}

/// A line break is a blank in a name or in a column that is not one of the six.
/// In another it stays what spoils the row: a separator that ends no line.
fn on_one_line(text: &str, column: Option<Column>) -> String {
    let text = text.trim_matches(['\r', '\n']);
    if !text.contains(['\r', '\n']) {
        return text.to_owned();
    }
    let is_text = matches!(column, None | Some(Column::Name));
    let separator = if is_text { " " } else { "\u{2028}" };
    text.replace("\r\n", "\n").replace(['\r', '\n'], separator)
}

fn number_in(number: f64, column: Option<Column>, format: &str) -> String {
    let text = number_text(number);
    let column = match column {
        Some(column @ (Column::GovernmentId | Column::DebtId)) => column,
        Some(Column::DebtAmount) => {
            return match beside_reais(format) {
                Some(shown) => format!("{shown} {text}"),
                None => text,
            };
        }
        _ => return text,
    };
    if !(0.0..TOO_LONG).contains(&number) || number.fract() != 0.0 {
        return refused(&text);
    }
    let digits = match (shown(number, format), column) {
        // Signs are none of a document. Of an id they are.
        (Shown::Digits, _) | (Shown::Reformatted, Column::GovernmentId) => text,
        (Shown::Padded(length), _) | (Shown::Masked(length), Column::GovernmentId) => {
            format!("{text:0>length$}")
        }
        _ => return format!("{text}.0"),
    };
    if column == Column::DebtId || is_document(&digits) {
        digits
    } else {
        format!("{digits}.0")
    }
}

/// As a formula: neither a document nor an id may be that.
fn refused(text: &str) -> String {
    format!("={text}")
}

/// Whether the digits of a number may be a whole document: a CPF or a CNPJ that
/// has lost no zero. 11 digits may be a CNPJ that has lost three.
fn is_document(digits: &str) -> bool {
    let is_cnpj = || DocumentType::of(&format!("{digits:0>14}")) == DocumentType::Cnpj;
    match digits.len() {
        11 => DocumentType::of(digits) == DocumentType::Cpf || !is_cnpj(),
        length => length == 14,
    }
}

/// A number as Excel has it, with 15 digits, without an exponent unless its
/// last digits are lost.
fn number_text(number: f64) -> String {
    if !number.is_finite() {
        return "#NUM!".to_owned();
    }
    let written = format!("{:.*E}", DIGITS - 1, number);
    let Some((mantissa, exponent)) = written.split_once('E') else {
        return written;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number.abs() >= TOO_LONG {
        return format!("{mantissa}E+{exponent}");
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    let whole = usize::try_from(exponent + 1).unwrap_or_default();
    let leading = usize::try_from(-exponent - 1).unwrap_or_default();
    if whole >= digits.len() {
        format!("{sign}{digits:0<whole$}")
    } else if whole > 0 {
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    } else {
        format!("{sign}0.{:0<leading$}{digits}", "")
    }
}

/// A date, and the time of day where it has one. The last moment of a day is not
/// the next day, which calamine rounds it to.
fn date_text(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) != (0, 0, 0) {
        format!("{date} {hour:02}:{minute:02}:{second:02}")
    } else if time.as_f64().fract() > 0.5 {
        let day: Result<Date, _> = date.parse();
        let before = day.and_then(Date::yesterday);
        before.map_or(date, |before| format!("{before} 23:59:59"))
    } else {
        date
    }
}

/// No document and no id is a date: a spreadsheet has made one of it. Nor is one
/// of which day, month or year is not shown a due date.
fn date_in(text: &str, column: Option<Column>, is_whole: bool) -> String {
    match column {
        Some(Column::GovernmentId | Column::DebtId) => refused(text),
        Some(Column::DebtDueDate) if !is_whole => refused(text),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};
    use contract::{DebtRecord, Fields};
    use proptest::prelude::*;

    use super::*;

    fn number(number: f64, column: Column, format: &str) -> String {
        text_of(&DataRef::Float(number), Some(column), format)
    }

    #[test]
    fn a_number_has_the_digits_that_excel_shows() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (7811.1, "7811.1"),
            (10.299_999_999_999_999, "10.3"),
            (0.1 + 0.2, "0.3"),
            (1e-7, "0.0000001"),
            (-1.5, "-1.5"),
            (1_000_000.0, "1000000"),
            (99_999_999.99, "99999999.99"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1.00000000000000E+15"),
            (3.526_04e43, "3.52604000000000E+43"),
            (-1e20, "-1.00000000000000E+20"),
            (f64::NAN, "#NUM!"),
        ] {
            assert_eq!(number_text(value), text);
        }
    }

    proptest! {
        #[test]
        fn an_amount_stays_itself_to_the_centavo(centavos in 0_u64..=9_999_999_999) {
            #[expect(clippy::cast_precision_loss, reason = "ten digits fit")]
            let text = number_text(centavos as f64 / 100.0);
            let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert_eq!(format!("{whole}{decimals:0<2}").parse::<u64>().unwrap(), centavos);
        }
    }

    #[test]
    fn a_document_that_lost_its_zeros_is_refused() {
        for (value, format, text) in [
            (52_998_224_725.0, "General", "52998224725"),
            (12_345_678_901.0, "General", "12345678901"),
            (11_222_333_000_181.0, "0", "11222333000181"),
            (1_234_567_890.0, "00000000000", "01234567890"),
            (191.0, r"00\.000\.000\/0000\-00", "00000000000191"),
            (1_234_567_890.0, "General", "1234567890.0"),
            (413_053.0, "0", "413053.0"),
            // The CNPJ of the central bank of Brazil, without its three zeros.
            (38_166_000_105.0, "0", "38166000105.0"),
            (1.5, "General", "=1.5"),
            (390_533_447.5, "00000000000", "=390533447.5"),
            (-1.0, "00000000000", "=-1"),
            (7.000_123_478_1e20, "0", "=7.00012347810000E+20"),
        ] {
            assert_eq!(number(value, Column::GovernmentId, format), text);
        }
    }

    #[test]
    fn an_id_is_refused_where_it_is_not_what_is_shown() {
        for (value, format, text) in [
            (17.0, "General", "17"),
            (17.0, "000000", "000017"),
            (17.0, r#""INV-"0000"#, "17.0"),
            (1e16, "0", "=1.00000000000000E+16"),
            (999_999_999_999_999.9, "0", "=1000000000000000"),
            (7.1, "0.0", "=7.1"),
            (202_612.0, "0000-00", "202612.0"),
            (43.0, "0.00", "43.0"),
            (12_345.0, "#,##0", "12345.0"),
        ] {
            assert_eq!(number(value, Column::DebtId, format), text);
        }
        assert_eq!(number(77.0, Column::DebtAmount, "[$USD] 0.00"), "USD 77");
        assert_eq!(number(17.0, Column::DebtAmount, "000000"), "17");
    }

    /// What is written of a cell in the stead of the field of a good row.
    fn is_taken(value: &DataRef<'_>, column: Column) -> bool {
        let mut good = Fields::of(|column| match column {
            Column::Name => "Ana".to_owned(),
            Column::GovernmentId => "52998224725".to_owned(),
            Column::Email => "ana@example.com".to_owned(),
            Column::DebtAmount => "10.50".to_owned(),
            Column::DebtDueDate => "2027-01-31".to_owned(),
            Column::DebtId => "a".to_owned(),
        });
        good[column] = text_of(value, Some(column), "");
        let fields = Fields::of(|column| &*good[column]);
        DebtRecord::from_fields(fields).is_ok()
    }

    #[test]
    fn what_a_spreadsheet_made_of_a_field_is_refused_by_the_rules() {
        let date = || {
            let kind = ExcelDateTimeType::DateTime;
            DataRef::DateTime(ExcelDateTime::new(46_418.0, kind, false))
        };
        assert_eq!(
            text_of(&date(), Some(Column::DebtDueDate), ""),
            "2027-01-31"
        );
        assert!(is_taken(&date(), Column::DebtDueDate));
        for column in [Column::DebtId, Column::GovernmentId, Column::DebtAmount] {
            assert!(!is_taken(&date(), column), "{column:?}");
        }
        for value in [1_234_567_890.0, 390_533_447.5, 1e16, 1e43] {
            assert!(!is_taken(&DataRef::Float(value), Column::GovernmentId));
        }
        assert!(!is_taken(&DataRef::Float(1e16), Column::DebtId));
        assert!(!is_taken(&DataRef::Float(46_418.0), Column::DebtDueDate));
        for column in Column::ALL {
            let is_name = column == Column::Name;
            assert!(!is_taken(&DataRef::Error(CellErrorType::NA), column));
            let broken = DataRef::SharedString("1\n2");
            assert_eq!(is_taken(&broken, column), is_name, "{column:?}");
        }
        assert!(is_taken(&DataRef::SharedString("\r\n7\n"), Column::DebtId));
    }

    #[test]
    fn a_date_has_its_time_of_day_in_both_systems() {
        for (value, is_1904, text) in [
            (46_418.0, false, "2027-01-31"),
            (44_956.0, true, "2027-01-31"),
            (46_418.5, false, "2027-01-31 12:00:00"),
            (46_418.999_999_999_99, false, "2027-01-31 23:59:59"),
        ] {
            let time = ExcelDateTime::new(value, ExcelDateTimeType::DateTime, is_1904);
            assert_eq!(date_text(&time), text);
        }
    }
}
