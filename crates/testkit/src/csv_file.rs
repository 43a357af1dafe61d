//! Files to upload, row by row.

/// The header of the contract.
const HEADER: &str = "name,governmentId,email,debtAmount,debtDueDate,debtId";

/// One data row. The default is valid; a test changes what it is about.
///
/// ```
/// use testkit::CsvRow;
///
/// let row = CsvRow {
///     email: "nobody".into(),
///     ..CsvRow::valid("debt-1")
/// };
/// assert_eq!(row.line(), "João da Silva,52998224725,nobody,7811.50,2027-03-15,debt-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvRow {
    /// `name`
    pub name: String,
    /// `governmentId`
    pub government_id: String,
    /// `email`
    pub email: String,
    /// `debtAmount`
    pub debt_amount: String,
    /// `debtDueDate`
    pub debt_due_date: String,
    /// `debtId`
    pub debt_id: String,
}

impl CsvRow {
    /// A valid row for this debt.
    pub fn valid(debt_id: impl Into<String>) -> Self {
        Self {
            name: "João da Silva".to_owned(),
            government_id: "52998224725".to_owned(),
            email: "joao.silva@example.com".to_owned(),
            debt_amount: "7811.50".to_owned(),
            debt_due_date: "2027-03-15".to_owned(),
            debt_id: debt_id.into(),
        }
    }

    /// The row as a CSV record without a line end: what the body of a queue message is.
    pub fn line(&self) -> String {
        record([
            &self.name,
            &self.government_id,
            &self.email,
            &self.debt_amount,
            &self.debt_due_date,
            &self.debt_id,
        ])
    }
}

/// A CSV file in the making; lines end in `\n`.
///
/// ```
/// use testkit::{CsvFile, CsvRow};
///
/// let file = CsvFile::new().row(&CsvRow::valid("8291")).line("not,a,row").bytes();
/// assert!(String::from_utf8(file).unwrap().ends_with(",8291\nnot,a,row\n"));
/// ```
#[derive(Debug, Clone)]
pub struct CsvFile {
    text: String,
}

impl Default for CsvFile {
    fn default() -> Self {
        Self::new()
    }
}

impl CsvFile {
    /// A file with the header of the contract.
    pub fn new() -> Self {
        Self::without_header().line(HEADER)
    }

    /// A file with nothing in it yet, for another header or none.
    pub fn without_header() -> Self {
        Self {
            text: String::new(),
        }
    }

    /// Adds a row, quoted where it is needed.
    #[must_use]
    pub fn row(self, row: &CsvRow) -> Self {
        self.line(&row.line())
    }

    /// Adds valid rows whose ids are `debt-1`, `debt-2` and so on.
    #[must_use]
    pub fn valid_rows(self, count: usize) -> Self {
        (1..=count).fold(self, |file, number| {
            file.row(&CsvRow::valid(format!("debt-{number}")))
        })
    }

    /// Adds a line as it is, valid or not.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    /// The file in UTF-8.
    pub fn bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The file in Latin-1, as older programs export it.
    ///
    /// # Panics
    ///
    /// On a character that Latin-1 does not have.
    pub fn latin1_bytes(self) -> Vec<u8> {
        self.text
            .chars()
            .map(|character| {
                u8::try_from(character)
                    .unwrap_or_else(|_| panic!("Latin-1 does not have {character:?}"))
            })
            .collect()
    }
}

fn record<'a>(fields: impl IntoIterator<Item = &'a String>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer
        .write_record(fields)
        .expect("memory takes any record");
    let mut line = writer.into_inner().expect("memory takes any record");
    line.pop();
    String::from_utf8(line).expect("text stays text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_the_header() {
        assert_eq!(CsvFile::new().bytes(), format!("{HEADER}\n").into_bytes());
        assert!(CsvFile::without_header().bytes().is_empty());
    }

    #[test]
    fn valid_rows_have_ids_of_their_own() {
        let file = String::from_utf8(CsvFile::new().valid_rows(2).bytes()).unwrap();

        let ids: Vec<_> = file
            .lines()
            .skip(1)
            .filter_map(|line| line.rsplit(',').next())
            .collect();
        assert_eq!(ids, ["debt-1", "debt-2"]);
    }

    #[test]
    fn a_field_is_quoted_where_it_is_needed() {
        let row = CsvRow {
            name: "Silva, José \"Zé\" da".to_owned(),
            ..CsvRow::valid("1")
        };

        assert!(row.line().starts_with("\"Silva, José \"\"Zé\"\" da\",529"));
    }

    #[test]
    fn latin1_has_one_byte_a_character() {
        let file = CsvFile::without_header().line("João").latin1_bytes();

        assert_eq!(file, b"Jo\xe3o\n");
    }
}
