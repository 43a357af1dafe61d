//! The body of a `data-process` message: CSV records, one a line.

use csv_core::{ReadRecordResult, WriteResult};

use super::{COLUMNS, DebtRecord, InvalidReason};

/// Most records of a message.
pub const MAX_RECORDS: usize = 100;

/// Reads the bodies of `data-process` messages. To build its tables takes
/// longer than to read a record, so who reads many keeps one. It is not
/// `Clone`, as a clone of `csv_core::Reader` (0.1.13) does not read.
#[derive(Debug)]
pub struct RecordReader {
    csv: csv_core::Reader,
    text: Vec<u8>,
    ends: [usize; Self::MAX_FIELDS],
}

impl Default for RecordReader {
    fn default() -> Self {
        Self {
            csv: csv_core::Reader::new(),
            text: Vec::new(),
            ends: [0; Self::MAX_FIELDS],
        }
    }
}

impl RecordReader {
    /// Enough to tell a record that is too wide from one that is not; fields
    /// beyond it are not told apart.
    const MAX_FIELDS: usize = 64;

    /// Reads the records of a message. An empty line is none.
    ///
    /// ```
    /// # use common::contract::RecordReader;
    /// let mut reader = RecordReader::default();
    /// let body = "Ana,1,ana@example.com,7,2027-01-31,17\nBia,2,bia,8,2027-01-31,18";
    /// let records: Vec<_> = reader.records(body).collect();
    /// assert_eq!(records.len(), 2);
    /// assert!(records[0].is_ok() && records[1].is_err());
    /// ```
    pub fn records<'a>(&'a mut self, body: &'a str) -> Records<'a> {
        self.start(body);
        let rest = body.as_bytes();
        Records { reader: self, rest }
    }

    /// Reads the one record of a message.
    ///
    /// # Errors
    /// When the body is not one record of six valid fields.
    pub fn read(&mut self, body: &str) -> Result<DebtRecord, InvalidReason> {
        let mut records = self.records(body);
        let record = records.next().ok_or(InvalidReason::NotOneRecord)?;
        match records.next() {
            None => record,
            Some(_) => Err(InvalidReason::TooManyRecords { most: 1 }),
        }
    }

    /// Forgets the body before.
    fn start(&mut self, body: &str) {
        // Unquoting never makes a record longer.
        self.text.resize(body.len().max(1), 0);
        self.csv.reset();
        // With a line before it a byte-order mark is text as anywhere else. It
        // would be passed over, and one that is all of the first record with
        // it: the records behind would count as one less.
        self.csv.read_record(b"\n", &mut self.text, &mut self.ends);
    }

    /// Unquotes the next record into `text` and `ends`, and gives how many
    /// fields it has; `None` when there is none. `rest` is then what is behind.
    fn split(&mut self, rest: &mut &[u8]) -> Option<usize> {
        if rest.is_empty() {
            return None;
        }
        let (mut fields, mut written, mut is_wide) = (0, 0, false);
        loop {
            // There is as much room as there is rest, and never no room for an end.
            let (text, ends) = (&mut self.text[written..], &mut self.ends[fields..]);
            // An empty input is what ends the last record.
            let (result, consumed, more, found) = self.csv.read_record(rest, text, ends);
            *rest = &rest[consumed..];
            written += more;
            fields += found;
            match result {
                ReadRecordResult::Record => {
                    return Some(if is_wide { Self::MAX_FIELDS } else { fields });
                }
                ReadRecordResult::End => return None,
                ReadRecordResult::InputEmpty
                | ReadRecordResult::OutputFull
                | ReadRecordResult::OutputEndsFull => {}
            }
            if fields == Self::MAX_FIELDS {
                // What the first ones were does not matter any more.
                (fields, is_wide) = (0, true);
            }
        }
    }

    /// The record of that many fields that was split.
    fn record(&self, fields: usize) -> Result<DebtRecord, InvalidReason> {
        if fields != COLUMNS.len() {
            return Err(InvalidReason::FieldCount {
                found: fields,
                expected: COLUMNS.len(),
            });
        }
        let mut texts = [""; COLUMNS.len()];
        let mut start = 0;
        for (text, end) in texts.iter_mut().zip(self.ends) {
            // Unquoting cuts at ASCII bytes only, so the text stays UTF-8.
            *text = std::str::from_utf8(&self.text[start..end])
                .map_err(|_| InvalidReason::NotOneRecord)?;
            start = end;
        }
        DebtRecord::from_fields(texts)
    }
}

/// The records of a message, in their order.
#[derive(Debug)]
pub struct Records<'a> {
    reader: &'a mut RecordReader,
    rest: &'a [u8],
}

impl Iterator for Records<'_> {
    type Item = Result<DebtRecord, InvalidReason>;

    fn next(&mut self) -> Option<Self::Item> {
        let fields = self.reader.split(&mut self.rest)?;
        Some(self.reader.record(fields))
    }
}

/// The records of a body as they stand there, without the line ends between
/// them: what [`push_record`] put in.
pub fn split_records(body: &str) -> Vec<&str> {
    let mut reader = RecordReader::default();
    reader.start(body);
    let mut rest = body.as_bytes();
    let mut records = Vec::new();
    let mut start = 0;
    while reader.split(&mut rest).is_some() {
        // A record ends at an ASCII byte.
        let end = body.len() - rest.len();
        records.push(body[start..end].trim_matches(['\r', '\n']));
        start = end;
    }
    records
}

/// Puts a further record, as [`RecordWriter`] writes it, into a body.
pub fn push_record(body: &mut String, record: &str) {
    body.reserve(1 + record.len());
    body.push('\n');
    body.push_str(record);
}

/// Writes a record of a `data-process` message: the fields with commas in
/// between, RFC 4180 quoting only where it is needed, no line end. It is never
/// an empty line.
#[derive(Debug, Default)]
pub struct RecordWriter {
    csv: csv_core::Writer,
}

impl RecordWriter {
    /// The record of those fields.
    pub fn write<'a>(&mut self, fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut body = Vec::with_capacity(160);
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.drive(&mut body, |csv, out| {
                    let (result, written) = csv.delimiter(out);
                    (result, 0, written)
                });
            }
            let mut rest = field;
            self.drive(&mut body, |csv, out| {
                let (result, read, written) = csv.field(rest, out);
                rest = &rest[read..];
                (result, read, written)
            });
        }
        // Closes a quoted last field; the line end itself is not sent.
        self.drive(&mut body, |csv, out| {
            let (result, written) = csv.terminator(out);
            (result, 0, written)
        });
        if body.last() == Some(&b'\n') {
            body.pop();
        }
        body
    }

    /// Repeats a call of the CSV writer until all it had to write is in `body`.
    fn drive(
        &mut self,
        body: &mut Vec<u8>,
        mut call: impl FnMut(&mut csv_core::Writer, &mut [u8]) -> (WriteResult, usize, usize),
    ) {
        let mut chunk = [0; 256];
        loop {
            let (result, _, written) = call(&mut self.csv, &mut chunk);
            body.extend_from_slice(&chunk[..written]);
            if result == WriteResult::InputEmpty {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "Elijah Santos,9558,janet95@example.com,7811,2024-01-19,\
                        ea23f2ca-663a-4266-a742-9da4c9f4fcb3";

    fn read(body: &str) -> Result<DebtRecord, InvalidReason> {
        RecordReader::default().read(body)
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
    fn refuses_with_the_precise_reason() {
        for (body, code) in [
            ("", "not_one_record"),
            ("\r\n\n", "not_one_record"),
            ("a,b\nc,d", "too_many_records"),
            ("\"open,1,a@b.co,1,2024-01-01,1", "field_count"),
            ("a,b,c,d,e", "field_count"),
            ("a,b,c,d,e,f,g", "field_count"),
            (",1,a@b.co,1,2024-01-01,1", "name_empty"),
            ("n,-,a@b.co,1,2024-01-01,1", "government_id_empty"),
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
        ] {
            assert_eq!(read(body).map_err(|r| r.code()), Err(code), "{body:?}");
        }
        let wide = ["x"; 1_000].join(",");
        assert_eq!(read(&wide).map_err(|r| r.code()), Err("field_count"));
    }

    #[test]
    fn a_reader_forgets_the_record_before() {
        let mut reader = RecordReader::default();
        assert!(reader.read("\"open").is_err());
        assert!(reader.read(&"x,".repeat(500)).is_err());
        assert!(reader.read(GOOD).is_ok());
        assert!(reader.read(&format!("{GOOD}\r\n")).is_ok());
    }

    #[test]
    fn quotes_only_where_needed() {
        let mut writer = RecordWriter::default();
        let body = writer.write([&b"a b"[..], b"", b"c,d", b"\"e\"", b"f\ng", b"h"]);
        assert_eq!(body, b"a b,,\"c,d\",\"\"\"e\"\"\",\"f\ng\",h");
        assert_eq!(writer.write([&b"a"[..], b"b,"]), b"a,\"b,\"");
    }

    fn written(fields: &[&str]) -> String {
        let record = RecordWriter::default().write(fields.iter().map(|field| field.as_bytes()));
        String::from_utf8(record).unwrap()
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
        let mut reader = RecordReader::default();
        let codes: Vec<_> = reader
            .records(&body)
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
        let records = [written(&fields), written(&["\u{feff}"]), written(&quoted)];
        let mut reader = RecordReader::default();
        let mut names = |body: &str| -> Vec<_> {
            let records = reader.records(body);
            records.map(|record| record.map(|debt| debt.name)).collect()
        };
        let found = [&records[..], &records[1..], &records[2..]]
            .map(joined)
            .map(|body| names(&body));
        let no_record = Err(InvalidReason::FieldCount {
            found: 1,
            expected: 6,
        });
        let expected = [
            Ok("Zé".to_owned()),
            no_record,
            Ok("Zé, \u{feff}filho".to_owned()),
        ];
        assert_eq!(found, [&expected[..], &expected[1..], &expected[2..]]);
    }

    proptest! {
        #[test]
        fn a_record_survives_writing_and_reading(
            // A byte-order mark at the start of a body is no part of the name.
            name in "[^\\s\\x00\u{feff}][\"',;\\n\\r a-zãé]{0,300}[^\\s\\x00]",
            debt_id in "[a-z0-9,\"-]{1,40}",
        ) {
            let fields = [name.as_str(), "1", "a@b.co", "7811,50", "2024-01-19", &debt_id];
            let body = RecordWriter::default().write(fields.map(str::as_bytes));
            let record = read(std::str::from_utf8(&body).unwrap()).unwrap();
            prop_assert_eq!(record.name, name.trim());
            prop_assert_eq!(record.debt_id, debt_id.trim());
        }

        #[test]
        fn records_in_one_body_are_what_they_are_alone(
            records in prop::collection::vec(
                prop::collection::vec("[\u{feff}\"',;\n\r a-cé0-9@.-]{0,8}", 1..9),
                1..12,
            ),
        ) {
            let of = |fields: &Vec<String>| {
                written(&fields.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let records: Vec<String> = records.iter().map(of).collect();
            let body = joined(&records);
            prop_assert_eq!(split_records(&body), records.iter().collect::<Vec<_>>());
            let mut reader = RecordReader::default();
            let together: Vec<_> = reader.records(&body).collect();
            let alone: Vec<_> = records.iter().map(|record| read(record)).collect();
            prop_assert_eq!(together, alone);
        }

        #[test]
        fn never_panics(body in "\\PC*[,\"\\n]*\\PC*") {
            let _ = read(&body);
            let texts = split_records(&body);
            prop_assert_eq!(texts.len(), RecordReader::default().records(&body).count());
        }
    }
}
