//! The cells of a sheet → the lines of a CSV.

use std::cmp::Ordering;

use calamine::DataRef;
use contract::{Column, Layout, MAX_RECORD_BYTES, trimmed};

use super::WorkbookError;
use super::place::CellPlace;
use super::sheet::Sheet;
use super::value::text_of;
use crate::csv::{HeaderError, find_header};

/// Bytes of a piece of the CSV.
const PIECE_BYTES: usize = 64 * 1024;
/// Most bytes of a line. A little more than a record may have: its row is
/// INVALID, and the others are not.
const MAX_LINE_BYTES: usize = 2 * MAX_RECORD_BYTES;
/// Most rows with titles above the header.
const MAX_TITLES: usize = 20;

/// Writes the lines of a sheet.
pub(super) struct Table<'s, T> {
    sheet: &'s Sheet,
    take: T,
    text: Vec<u8>,
    /// Lines that are written.
    lines: u32,
    /// The columns of the sheet, once the header is found.
    columns: Option<Vec<Option<Column>>>,
    /// Of the rows above the header the one that is nearest to one, and what
    /// it lacks.
    title: Option<(CellPlace, HeaderError)>,
    titles: usize,
    /// The last cell.
    at: CellPlace,
    /// The row that is being read, if it has a cell yet.
    line: Vec<u8>,
    /// Its cells that are not blank: the first of them, and how many.
    first: Option<CellPlace>,
    filled: usize,
    /// Cells that are written of it.
    width: u32,
    is_taken: bool,
}

impl<'s, T: FnMut(Vec<u8>) -> bool> Table<'s, T> {
    pub(super) fn new(sheet: &'s Sheet, take: T) -> Self {
        Self {
            sheet,
            take,
            text: Vec::with_capacity(PIECE_BYTES),
            lines: 0,
            columns: None,
            title: None,
            titles: 0,
            at: CellPlace::default(),
            line: Vec::new(),
            first: None,
            filled: 0,
            width: 0,
            is_taken: true,
        }
    }

    /// The last cell that came.
    pub(super) fn last_cell(&self) -> CellPlace {
        self.at
    }

    /// Takes the next cell. False where nobody takes the lines any more.
    pub(super) fn cell(
        &mut self,
        place: CellPlace,
        value: &DataRef<'_>,
        format: &str,
    ) -> Result<bool, WorkbookError> {
        let is_behind = match place.row.cmp(&self.at.row) {
            Ordering::Less => true,
            Ordering::Equal => place.column < self.width,
            Ordering::Greater => {
                self.end_row()?;
                self.width = 0;
                false
            }
        };
        if is_behind {
            return Err(WorkbookError::Order(place));
        }
        self.at = place;
        let column = self.columns.as_ref();
        let column = column.and_then(|all| all.get(place.column as usize).copied().flatten());
        let text = text_of(value, column, format);
        if !trimmed(&text).is_empty() {
            self.write_cell(place, &text)?;
        }
        Ok(self.is_taken)
    }

    fn write_cell(&mut self, place: CellPlace, text: &str) -> Result<(), WorkbookError> {
        let delimiters = (place.column + 1).saturating_sub(self.width.max(1));
        self.line
            .extend(std::iter::repeat_n(b',', delimiters as usize));
        self.line.push(b'"');
        for part in text.split_inclusive('"') {
            self.line.extend_from_slice(part.as_bytes());
            if part.ends_with('"') {
                self.line.push(b'"');
            }
        }
        self.line.push(b'"');
        self.width = place.column + 1;
        self.first.get_or_insert(place);
        self.filled += 1;
        if self.line.len() > MAX_LINE_BYTES {
            return Err(WorkbookError::LongRow {
                place,
                most: MAX_LINE_BYTES,
            });
        }
        Ok(())
    }

    /// Writes the row whose cells have come, unless it is blank.
    fn end_row(&mut self) -> Result<(), WorkbookError> {
        let Some(first) = self.first.take() else {
            return Ok(());
        };
        let (row, filled) = (first.row, std::mem::take(&mut self.filled));
        if self.columns.is_none() {
            match find_header(&self.line, true) {
                Ok(found) => self.columns = found.map(|header| columns_of(&header.layout)),
                Err(error) => self.pass_title(first, filled, error)?,
            }
            if self.columns.is_none() {
                self.line.clear();
                return Ok(());
            }
            self.check_cells(row)?;
        } else if self.sheet.notes.is_hidden(row) {
            return Err(WorkbookError::HiddenRow {
                sheet: self.sheet.name.clone(),
                place: first,
            });
        }
        // What was left out is a blank line.
        for _ in self.lines..row {
            self.text.push(b'\n');
            self.hand_on();
        }
        self.text.append(&mut self.line);
        self.text.push(b'\n');
        self.lines = row + 1;
        self.hand_on();
        Ok(())
    }

    /// Passes over a row above the header. A debt has six cells, so that a row
    /// with fewer is none.
    fn pass_title(
        &mut self,
        first: CellPlace,
        filled: usize,
        error: HeaderError,
    ) -> Result<(), WorkbookError> {
        self.titles += 1;
        let is_table = filled >= Column::ALL.len() || matches!(error, HeaderError::Repeated { .. });
        let (place, error) = match self.title.take() {
            Some((place, nearest)) if nearest.distance() <= error.distance() => (place, nearest),
            _ => (first, error),
        };
        if is_table || self.titles > MAX_TITLES {
            return Err(self.no_header(place, error));
        }
        self.title = Some((place, error));
        Ok(())
    }

    fn no_header(&self, place: CellPlace, error: HeaderError) -> WorkbookError {
        WorkbookError::Header {
            sheet: self.sheet.name.clone(),
            place,
            error,
        }
    }

    /// No cell of the six columns is a formula that nobody has calculated, or
    /// stands for several rows.
    fn check_cells(&self, header: u32) -> Result<(), WorkbookError> {
        let columns = self.columns.iter().flatten().zip(0..);
        let known: Vec<u32> = columns
            .filter_map(|(column, place)| column.map(|_| place))
            .collect();
        let notes = &self.sheet.notes;
        if let Some(place) = notes.merged(&known, header) {
            return Err(WorkbookError::Merged { place });
        }
        let known = known.into_iter();
        let mut places = known.filter_map(|column| notes.not_calculated(column, header));
        match places.next() {
            Some(place) => Err(WorkbookError::NotCalculated { place }),
            None => Ok(()),
        }
    }

    fn hand_on(&mut self) {
        if self.text.len() >= PIECE_BYTES {
            let next = Vec::with_capacity(PIECE_BYTES);
            self.is_taken = (self.take)(std::mem::replace(&mut self.text, next));
        }
    }

    /// Writes what is left. All cells have come.
    pub(super) fn finish(mut self) -> Result<(), WorkbookError> {
        self.end_row()?;
        if self.columns.is_none() {
            return Err(match self.title.take() {
                Some((place, error)) => self.no_header(place, error),
                None => WorkbookError::Empty {
                    sheet: self.sheet.name.clone(),
                },
            });
        }
        (self.take)(self.text);
        Ok(())
    }
}

/// Which of the six columns each column of a sheet is.
fn columns_of(layout: &Layout) -> Vec<Option<Column>> {
    let mut columns = vec![None; layout.width];
    for column in Column::ALL {
        columns[layout.columns[column]] = Some(column);
    }
    columns
}
