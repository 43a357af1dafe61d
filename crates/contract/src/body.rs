//! The body of a `data-process` message: CSV records, one a line.

use std::borrow::Cow;

use super::field::unwrapped;
use super::scan::{Scanned, scan};
use super::{Cell, Column, DebtRecord, Fields, InvalidReason, Layout};

/// Most records of a message.
pub const MAX_RECORDS: usize = 100;

/// Reads the records of a message. An empty line is none.
///
/// ```
/// # use contract::read_records;
/// let body = "Ana,1,ana@example.com,7,2027-01-31,17\nBia,2,bia,8,2027-01-31,18";
/// let records: Vec<_> = read_records(body).collect();
/// assert_eq!(records.len(), 2);
/// assert!(records[0].is_ok() && records[1].is_err());
/// ```
pub fn read_records(body: &str) -> Records<'_> {
    Records {
        rest: body,
        cells: Vec::with_capacity(Column::ALL.len()),
    }
}

/// Reads the one record of a message.
///
/// # Errors
/// When the body is not one record of six valid fields.
pub fn read_record(body: &str) -> Result<DebtRecord, InvalidReason> {
    let mut records = read_records(body);
    let record = records.next().ok_or(InvalidReason::NotOneRecord)?;
    match records.next() {
        None => record,
        Some(_) => Err(InvalidReason::TooManyRecords { most: 1 }),
    }
}

/// What identifies the debt of a message's first record, as the ledger knows it, whether or not
/// the record can be billed; `None` where nothing does.
pub fn debt_id_of(body: &str) -> Option<String> {
    let mut records = read_records(body);
    let (raw, found) = records.next_raw()?;
    found.ok()?;
    let text = records.cells.get(Column::DebtId as usize)?.text(raw)?;
    Some(unwrapped(&text).to_owned()).filter(|debt_id| !debt_id.is_empty())
}

/// The records of a message, in their order.
#[derive(Debug)]
pub struct Records<'a> {
    rest: &'a str,
    cells: Vec<Cell>,
}

impl<'a> Records<'a> {
    /// The next record as it stands there, line end included, and why it
    /// cannot be read, where that is so.
    fn next_raw(&mut self) -> Option<(&'a str, Result<(), InvalidReason>)> {
        loop {
            // Which cells may hold line breaks was the sender's to look at.
            let text = self.rest.as_bytes();
            let (len, found) = match scan(text, true, b',', None, &mut self.cells) {
                Scanned::End | Scanned::NeedsMore | Scanned::Endless => return None,
                Scanned::Blank { len, .. } => (len, None),
                Scanned::Record { len, .. } => (len, Some(Ok(()))),
                Scanned::Refused { len, reason } => (len, Some(Err(reason))),
            };
            // A record ends at an ASCII byte.
            let (raw, rest) = self.rest.split_at_checked(len)?;
            self.rest = rest;
            if let Some(found) = found {
                return Some((raw, found));
            }
        }
    }

    /// The record whose cells were found.
    fn record(&self, raw: &str) -> Result<DebtRecord, InvalidReason> {
        if !Layout::MESSAGE.fits(raw.as_bytes(), &self.cells) {
            return Err(InvalidReason::FieldCount {
                found: self.cells.len(),
                expected: Column::ALL.len(),
            });
        }
        // A cell ends at ASCII bytes.
        let text = |column| self.cells[column as usize].text(raw).unwrap_or_default();
        let texts: Fields<Cow<'_, str>> = Fields::of(text);
        DebtRecord::from_fields(Fields::of(|column| &*texts[column]))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<DebtRecord, InvalidReason>;

    fn next(&mut self) -> Option<Self::Item> {
        let (raw, found) = self.next_raw()?;
        Some(found.and_then(|()| self.record(raw)))
    }
}

/// The records of a body as they stand there, without the line ends between
/// them: what [`crate::push_record`] put in.
pub fn split_records(body: &str) -> Vec<&str> {
    let mut records = read_records(body);
    std::iter::from_fn(|| records.next_raw())
        .map(|(raw, _)| raw.trim_end_matches(['\r', '\n']))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{push_record, write_record};

    const GOOD: &str = "Elijah Santos,9558,janet95@example.com,7811,2024-01-19,\
                        ea23f2ca-663a-4266-a742-9da4c9f4fcb3";

    fn read(body: &str) -> Result<DebtRecord, InvalidReason> {
        read_record(body)
    }

    #[test]
    fn reads_the_sample_record() {
        let record = read(GOOD).unwrap();
        assert_eq!(record.name, "Elijah Santos");
        assert_eq!(record.government_id, "9558");
        assert_eq!(record.amount.centavos(), 781_100);
        assert_eq!(record.due_date.to_string(), "2024-01-19");
        assert_eq!(record.debt_id, "ea23f2ca-663a-4266-a742-9da4c9f4fcb3");
    }

    #[test]
    fn trims_unquotes_and_keeps_what_quotes_protect() {
        let record = read(
            "\" João \"\"Zé\"\" da Silva,\nfilho \", 001.234.567-89 , ze@example.com ,\"1.000,50\", 2024-01-19 , 17 ",
        )
        .unwrap();
        assert_eq!(record.name, "João \"Zé\" da Silva,\nfilho");
        assert_eq!(record.government_id, "00123456789");
        assert_eq!(record.amount.centavos(), 100_050);
        assert_eq!(record.debt_id, "17");
    }

    #[test]
    fn the_debt_is_named_even_where_it_cannot_be_billed() {
        let named = |body| debt_id_of(body);
        assert_eq!(named(GOOD).unwrap(), read(GOOD).unwrap().debt_id);
        assert_eq!(named(",1,a,x,y,\" '17 \"").as_deref(), Some("17"));
        for body in [
            "",
            "\n",
            "a,b,c",
            "n,1,a@b.co,1,2024-01-01, ",
            "\"open,1,a,b,c,d",
        ] {
            assert_eq!(named(body), None, "{body}");
        }
    }

    #[test]
    fn refuses_with_the_precise_reason() {
        for (body, code) in [
            ("", "not_one_record"),
            ("\r\n\n", "not_one_record"),
            ("a,b\nc,d", "too_many_records"),
            ("\"open,1,a@b.co,1,2024-01-01,1", "quotes"),
            ("\"Bar do Zé\" Ltda,1,a@b.co,1,2024-01-01,1", "quotes"),
            ("\"Maria \\\"Dona\\\"\",1,a@b.co,1,2024-01-01,1", "quotes"),
            ("TV 42\",1,a@b.co,1,2024-01-01,1", "quotes"),
            ("a,b,c,d,e", "field_count"),
            ("a,b,c,d,e,f,g", "field_count"),
            (",1,a@b.co,1,2024-01-01,1", "name_empty"),
            (". \u{3164}\u{2800},1,a@b.co,1,2024-01-01,1", "name_empty"),
            ("NULL,1,a@b.co,1,2024-01-01,1", "placeholder"),
            ("n, ,a@b.co,1,2024-01-01,1", "government_id_empty"),
            ("n,-,a@b.co,1,2024-01-01,1", "placeholder"),
            (
                "n,-70001234781,a@b.co,1,2024-01-01,1",
                "government_id_malformed",
            ),
            (
                "n,\"7,00012E+10\",a@b.co,1,2024-01-01,1",
                "government_id_malformed",
            ),
            (
                "n,700012347810.0,a@b.co,1,2024-01-01,1",
                "government_id_malformed",
            ),
            (
                "n,7000123+4781,a@b.co,1,2024-01-01,1",
                "government_id_malformed",
            ),
            (
                "n,7000\u{ad}1234781,a@b.co,1,2024-01-01,1",
                "invisible_character",
            ),
            ("n,1,a\u{200b}@b.co,1,2024-01-01,1", "invisible_character"),
            ("n,1,a@b.co',1,2024-01-01,1", "email_invalid"),
            ("n,1,a.b.co,1,2024-01-01,1", "email_invalid"),
            ("n,1,N <a@b.co>,1,2024-01-01,1", "email_invalid"),
            ("n,1,a@localhost,1,2024-01-01,1", "email_invalid"),
            (
                "n,1,\"a@b.co\r\nBcc: c@d.co\",1,2024-01-01,1",
                "email_invalid",
            ),
            ("n,1,a@b.co,1.000,2024-01-01,1", "amount_ambiguous"),
            ("n,1,a@b.co,100000000.00,2024-01-01,1", "amount_above_limit"),
            ("n,1,a@b.co,1,2024-02-30,1", "due_date_malformed"),
            ("n,1,a@b.co,1,2049-10-14,1", "due_date_no_factor"),
            ("n,1,a@b.co,1,2024-01-01, ", "debt_id_empty"),
            ("n,1,a@b.co,1,2024-01-01,'", "debt_id_empty"),
            ("n,1,a@b.co,1,2024-01-01,\\N", "placeholder"),
            ("n,1,a@b.co,1,2024-01-01,#", "placeholder"),
            ("n,1,a@b.co,1,2024-01-01,z\u{200b}1", "invisible_character"),
            ("n,1,a@b.co,1,2024-01-01,z\u{a0}1", "invisible_character"),
            ("n,1,a@b.co,1,2024-01-01,\"z\n1\"", "invisible_character"),
            (
                "n,1,a@b.co,1,2024-01-01,\"3,52604E+43\"",
                "debt_id_malformed",
            ),
            ("n,1,a@b.co,1,2024-01-01,17.0", "debt_id_malformed"),
            ("n,1,a@b.co,1,2024-01-01,=A1", "debt_id_malformed"),
        ] {
            assert_eq!(read(body).map_err(|r| r.code()), Err(code), "{body:?}");
        }
        let wide = ["x"; 1_000].join(",");
        assert_eq!(read(&wide).map_err(|r| r.code()), Err("field_count"));
    }

    #[test]
    fn quotes_only_where_needed() {
        let record = write_record(["a b", "", "c,d", "\"e\"", "f\ng", "h"]);
        assert_eq!(record, "a b,,\"c,d\",\"\"\"e\"\"\",\"f\ng\",h");
        assert_eq!(write_record(["a", "b,"]), "a,\"b,\"");
    }

    fn joined(records: &[String]) -> String {
        let (first, others) = records.split_first().unwrap();
        let mut body = first.clone();
        for record in others {
            push_record(&mut body, record);
        }
        body
    }

    #[test]
    fn a_bad_record_is_one_of_its_message_and_the_others_are_read() {
        let wide = ["x"; 1_000].join(",");
        let body = format!("\n{GOOD}\r\na,b,c\n\n{wide}\nn,1,a.b.co,1,2024-01-01,1\r{GOOD}\n\n");
        let codes: Vec<_> = read_records(&body)
            .map(|record| record.map_err(|reason| reason.code()))
            .collect();
        let debt = read(GOOD).unwrap();
        assert_eq!(
            codes,
            [
                Ok(debt.clone()),
                Err("field_count"),
                Err("field_count"),
                Err("email_invalid"),
                Ok(debt)
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name_wherever_it_stands() {
        let fields = ["\u{feff}Zé", "1", "a@b.co", "1", "2024-01-19", "7"];
        let quoted = [
            "\u{feff}\u{feff} Zé, \u{feff}filho",
            "1",
            "a@b.co",
            "1",
            "2024-01-19",
            "8",
        ];
        let records = [
            write_record(fields),
            write_record(["\u{feff}"]),
            write_record(quoted),
        ];
        let names = |body: &str| -> Vec<_> {
            let records = read_records(body);
            records.map(|record| record.map(|debt| debt.name)).collect()
        };
        let found = [&records[..], &records[1..], &records[2..]]
            .map(joined)
            .map(|body| names(&body));
        let no_record = Err(InvalidReason::FieldCount {
            found: 1,
            expected: 6,
        });
        let expected = [Ok("Zé".to_owned()), no_record, Ok("Zé, filho".to_owned())];
        assert_eq!(found, [&expected[..], &expected[1..], &expected[2..]]);
    }

    proptest! {
        #[test]
        fn a_record_survives_writing_and_reading(
            name in "x[\"',;\\n\\r a-zãé日]{0,300}[\",é]",
            debt_id in "x[a-z0-9,\"-]{0,40}",
        ) {
            let fields = [name.as_str(), "1", "a@b.co", "7811,50", "2024-01-19", &debt_id];
            let record = read(&write_record(fields)).unwrap();
            prop_assert_eq!(record.name, name);
            prop_assert_eq!(record.debt_id, debt_id);
        }

        #[test]
        fn a_record_that_was_read_is_read_the_same_again(
            name in "[ '=\"A1\\-\u{ad}\u{200b}\u{200c}\n,]{0,8}",
            document in "[ '=\"A1.\\-/\u{ad}]{0,8}",
            debt_id in "[ '=\"A1.\u{a0}\u{feff}]{0,8}",
        ) {
            let fields = [&*name, &document, "a@b.co", "R$ 1,5000", "31/01/2027", &debt_id];
            if let Ok(record) = read(&write_record(fields)) {
                let again = write_record([
                    &*record.name,
                    &record.government_id,
                    &record.email,
                    &record.amount.to_string(),
                    &record.due_date.to_string(),
                    &record.debt_id,
                ]);
                prop_assert_eq!(read(&again), Ok(record));
            }
        }

        #[test]
        fn records_in_one_body_are_what_they_are_alone(
            records in prop::collection::vec(
                prop::collection::vec("[\u{feff}\"',;\n\r a-cé0-9@.-]{0,8}", 2..9),
                1..12,
            ),
        ) {
            let of = |fields: &Vec<String>| write_record(fields.iter().map(String::as_str));
            let records: Vec<String> = records.iter().map(of).collect();
            let body = joined(&records);
            prop_assert_eq!(split_records(&body), records.iter().collect::<Vec<_>>());
            let together: Vec<_> = read_records(&body).collect();
            let alone: Vec<_> = records.iter().map(|record| read(record)).collect();
            prop_assert_eq!(together, alone);
        }

        #[test]
        fn never_panics(body in "\\PC*[,\"\\n]*\\PC*") {
            let _ = read(&body);
            let texts = split_records(&body);
            prop_assert_eq!(texts.len(), read_records(&body).count());
        }
    }
}
