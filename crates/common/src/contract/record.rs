use boleto::{Amount, DueDate};
use csv_core::{ReadRecordResult, WriteResult};
use email_address::{EmailAddress, Options};

use super::InvalidReason;

/// Columns of the input file, in the order of a message's fields. Header
/// names are compared without regard to case, so `debtID` is `debtId`.
pub const COLUMNS: [&str; 6] = [
    "name",
    "governmentId",
    "email",
    "debtAmount",
    "debtDueDate",
    "debtId",
];

/// One valid debt of the input file, its fields trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebtRecord {
    /// Name of the debtor; never empty.
    pub name: String,
    /// Document of the debtor: digits and capital letters, leading zeros
    /// kept. Not necessarily a valid CPF or CNPJ.
    pub government_id: String,
    /// Address for the e-mail.
    pub email: String,
    /// What is owed.
    pub amount: Amount,
    /// When it is due.
    pub due_date: DueDate,
    /// What identifies the debt; never empty.
    pub debt_id: String,
}

impl DebtRecord {
    /// Validates the six fields, in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// The first field that cannot be billed decides the reason.
    pub fn from_fields(fields: [&str; 6]) -> Result<Self, InvalidReason> {
        let [name, government_id, email, amount, due_date, debt_id] = fields.map(str::trim);
        if debt_id.is_empty() {
            return Err(InvalidReason::DebtIdEmpty);
        }
        if name.is_empty() {
            return Err(InvalidReason::NameEmpty);
        }
        let government_id = normalized_document(government_id);
        if government_id.is_empty() {
            return Err(InvalidReason::GovernmentIdEmpty);
        }
        if !is_email(email) {
            return Err(InvalidReason::EmailInvalid);
        }
        Ok(Self {
            name: name.to_owned(),
            government_id,
            email: email.to_owned(),
            amount: amount.parse()?,
            due_date: due_date.parse()?,
            debt_id: debt_id.to_owned(),
        })
    }
}

/// `123.456.789-09` → `12345678909`; CNPJs have held letters since July 2026.
fn normalized_document(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

fn is_email(text: &str) -> bool {
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    EmailAddress::parse_with_options(text, options).is_ok()
}

/// Reads the body of a `data-process` message. It keeps its buffers from one
/// record to the next.
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

    /// Reads the one record of a message.
    ///
    /// # Errors
    /// When the body is not one record of six valid fields.
    pub fn read(&mut self, body: &str) -> Result<DebtRecord, InvalidReason> {
        let count = self.split(body.as_bytes())?;
        if count != COLUMNS.len() {
            return Err(InvalidReason::FieldCount {
                found: count,
                expected: COLUMNS.len(),
            });
        }
        let mut fields = [""; COLUMNS.len()];
        let mut start = 0;
        for (field, end) in fields.iter_mut().zip(self.ends) {
            // Unquoting cuts at ASCII bytes only, so the text stays UTF-8.
            *field = std::str::from_utf8(&self.text[start..end])
                .map_err(|_| InvalidReason::NotOneRecord)?;
            start = end;
        }
        DebtRecord::from_fields(fields)
    }

    /// Unquotes the body into `text` and `ends`, and counts its fields.
    fn split(&mut self, body: &[u8]) -> Result<usize, InvalidReason> {
        self.csv.reset();
        // Unquoting never makes a record longer.
        self.text.resize(body.len().max(1), 0);
        let (result, consumed, written, mut count) =
            self.csv.read_record(body, &mut self.text, &mut self.ends);
        let result = match result {
            // The end of the input is what ends the last record.
            ReadRecordResult::InputEmpty => {
                let (text, ends) = (&mut self.text[written..], &mut self.ends[count..]);
                let (result, _, _, last) = self.csv.read_record(&[], text, ends);
                count += last;
                result
            }
            other => other,
        };
        match result {
            ReadRecordResult::Record if blank(&body[consumed..]) => Ok(count),
            ReadRecordResult::OutputEndsFull => Err(InvalidReason::FieldCount {
                found: count,
                expected: COLUMNS.len(),
            }),
            _ => Err(InvalidReason::NotOneRecord),
        }
    }
}

fn blank(rest: &[u8]) -> bool {
    rest.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Writes the body of a `data-process` message: the fields with commas in
/// between, RFC 4180 quoting only where it is needed, no line end.
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
            ("a,b\nc,d", "not_one_record"),
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
        fn never_panics(body in "\\PC*[,\"\\n]*\\PC*") {
            let _ = read(&body);
        }
    }
}
