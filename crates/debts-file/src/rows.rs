//! Rows as CSV.

use std::io::{self, Write};

use crate::{
    dates::DueDates,
    flaw::Flaw,
    row::{Fields, HEADER, Row},
};

/// Bytes gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Writes rows, quoted only where it is needed.
pub(super) struct Rows<'a, W: Write> {
    csv: csv::Writer<W>,
    due_dates: &'a DueDates,
    fields: Fields,
}

impl<'a, W: Write> Rows<'a, W> {
    pub(super) fn new(out: W, due_dates: &'a DueDates) -> Self {
        Self {
            csv: csv::WriterBuilder::new()
                .flexible(true)
                .buffer_capacity(BUFFER)
                .from_writer(out),
            due_dates,
            fields: Fields::default(),
        }
    }

    pub(super) fn header(&mut self) -> io::Result<()> {
        self.csv.write_record(HEADER).map_err(as_io)
    }

    pub(super) fn valid(&mut self, row: &Row) -> io::Result<()> {
        let fields = self.fields.of(row, self.due_dates);
        self.csv.write_record(fields).map_err(as_io)
    }

    pub(super) fn flawed(&mut self, row: &Row, flaw: Flaw) -> io::Result<()> {
        let [name, document, email, amount, due_date, debt_id] =
            self.fields.of(row, self.due_dates);
        let csv = &mut self.csv;
        match flaw {
            Flaw::EmptyName => csv.write_record(["", document, email, amount, due_date, debt_id]),
            Flaw::Email(broken) => {
                let email = broken.applied_to(email);
                csv.write_record([name, document, &email, amount, due_date, debt_id])
            }
            Flaw::Amount(text) => {
                csv.write_record([name, document, email, text, due_date, debt_id])
            }
            Flaw::DueDate(text) => csv.write_record([name, document, email, amount, text, debt_id]),
            Flaw::EmptyDebtId => csv.write_record([name, document, email, amount, due_date, ""]),
            Flaw::FiveFields => csv.write_record([name, document, email, amount, due_date]),
        }
        .map_err(as_io)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// The error of the writer underneath, whose kind a conversion would hide.
fn as_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
