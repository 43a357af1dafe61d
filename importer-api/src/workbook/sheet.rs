use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::WorkbookError;
use super::limits::MAX_MERGED;
use super::part::{Step, attributes};
use super::place::{CellPlace, MAX_COLUMNS, MAX_ROWS, row_of};

/// The sheet that is read.
pub(super) struct Sheet {
    /// Its name, as people see it.
    pub(super) name: String,
    /// What calamine does not tell of it.
    pub(super) notes: SheetNotes,
}

/// What calamine does not tell of a sheet.
#[derive(Default)]
pub(super) struct SheetNotes {
    /// Whether the program that wrote it left the formulas to whoever opens it.
    calculates_on_load: bool,
    /// Rows that are not shown: from the first of some to the last.
    hidden: Vec<(u32, u32)>,
    /// The first and the last formula of a column that has no value.
    not_calculated: HashMap<u32, (u32, u32)>,
    /// Cells of several rows that are one: the first and the last cell.
    merged: Vec<(CellPlace, CellPlace)>,
    has_data: bool,
    at: CellPlace,
    cell: Option<CellNotes>,
}

/// What is known of a cell while it is read.
#[derive(Default)]
struct CellNotes {
    place: CellPlace,
    is_text: bool,
    is_in_value: bool,
    has_formula: bool,
    value: CellValue,
}

/// What stands in a cell beside a formula.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum CellValue {
    #[default]
    Nothing,
    Zero,
    Other,
}

impl SheetNotes {
    pub(super) fn new(calculates_on_load: bool) -> Self {
        Self {
            calculates_on_load,
            ..Self::default()
        }
    }

    /// Whether nobody sees that row.
    pub(super) fn is_hidden(&self, row: u32) -> bool {
        let behind = self.hidden.partition_point(|(first, _)| *first <= row);
        behind > 0 && self.hidden[behind - 1].1 >= row
    }

    /// A formula without value in that column, below that row.
    pub(super) fn not_calculated(&self, column: u32, below: u32) -> Option<CellPlace> {
        let (first, last) = *self.not_calculated.get(&column)?;
        let row = if first > below { first } else { last };
        (row > below).then_some(CellPlace { row, column })
    }

    /// A cell of several rows, in one of these columns and below that row.
    pub(super) fn merged(&self, columns: &[u32], below: u32) -> Option<CellPlace> {
        let is_of_debts = |(first, last): &&(CellPlace, CellPlace)| {
            let has = |column: &u32| (first.column..=last.column).contains(column);
            last.row > below && columns.iter().any(has)
        };
        self.merged
            .iter()
            .find(is_of_debts)
            .map(|(first, _)| *first)
    }

    /// Looks at what comes next in the sheet's part.
    pub(super) fn look(&mut self, event: &Event<'_>) -> Result<Step, WorkbookError> {
        match event {
            Event::Start(tag) => self.start(tag)?,
            Event::End(tag) => match tag.local_name().as_ref() {
                "v" => {
                    if let Some(cell) = &mut self.cell {
                        cell.is_in_value = false;
                    }
                }
                "c" => self.end_cell(),
                "row" => {
                    let row = self.at.row + 1;
                    self.at = CellPlace { row, column: 0 };
                }
                "mergeCells" => return Ok(Step::Stop),
                _ => {}
            },
            Event::Text(text) => {
                if let Some(cell) = self.cell.as_mut().filter(|cell| cell.is_in_value) {
                    cell.value = match (cell.value, text.as_ref()) {
                        (value, "") => value,
                        (CellValue::Nothing, "0") => CellValue::Zero,
                        _ => CellValue::Other,
                    };
                }
            }
            _ => {}
        }
        Ok(match self.cell {
            Some(_) => Step::Within,
            None => Step::Next,
        })
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        match (tag.local_name().as_ref(), &mut self.cell) {
            ("f", Some(cell)) => cell.has_formula = true,
            ("v", Some(cell)) => cell.is_in_value = true,
            ("is", Some(cell)) => cell.value = CellValue::Other,
            ("c", _) => self.start_cell(tag)?,
            ("row", _) => self.start_row(tag)?,
            // calamine reads the first one alone.
            ("sheetData", _) if std::mem::replace(&mut self.has_data, true) => {
                return Err(WorkbookError::Unreadable);
            }
            ("mergeCell", _) => self.merge(tag)?,
            ("dimension", _) => check_dimension(tag)?,
            _ => {}
        }
        Ok(())
    }

    fn merge(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        for attribute in attributes(tag) {
            let (key, value) = attribute?;
            let places = value.split_once(':').filter(|_| key == "ref");
            let places =
                places.and_then(|(first, last)| CellPlace::read(first).zip(CellPlace::read(last)));
            if let Some((first, last)) = places.filter(|(first, last)| first.row < last.row) {
                self.merged.push((first, last));
            }
        }
        if self.merged.len() > MAX_MERGED {
            return Err(WorkbookError::Unpacked("it has too many merged cells"));
        }
        Ok(())
    }

    fn start_row(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        let mut is_hidden = false;
        for attribute in attributes(tag) {
            let (key, value) = attribute?;
            match key {
                "r" => self.at.row = row_of(&value).ok_or(WorkbookError::Unreadable)?,
                "hidden" => is_hidden |= matches!(&*value, "1" | "true"),
                // So high is a row that was dragged shut.
                "ht" => is_hidden |= value == "0",
                _ => {}
            }
        }
        if is_hidden {
            match self.hidden.last_mut() {
                Some((_, last)) if *last + 1 == self.at.row => *last = self.at.row,
                Some((_, last)) if *last >= self.at.row => {
                    return Err(WorkbookError::Order(self.at));
                }
                _ => self.hidden.push((self.at.row, self.at.row)),
            }
        }
        Ok(())
    }

    fn start_cell(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        let mut cell = CellNotes {
            place: self.at,
            ..CellNotes::default()
        };
        for attribute in attributes(tag) {
            let (key, value) = attribute?;
            match key {
                "r" => cell.place = CellPlace::read(&value).ok_or(WorkbookError::Unreadable)?,
                "t" => cell.is_text = value == "str",
                _ => {}
            }
        }
        if cell.place.column >= MAX_COLUMNS || cell.place.row >= MAX_ROWS {
            return Err(WorkbookError::Unpacked(
                "it has more rows or columns than a sheet may have",
            ));
        }
        self.at.column = cell.place.column + 1;
        self.cell = Some(cell);
        Ok(())
    }

    fn end_cell(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        let is_missing = match cell.value {
            // Of a text that is empty, a spreadsheet says that it is one.
            _ if cell.is_text => false,
            CellValue::Nothing => true,
            // What leaves the formulas to others may write a zero for them.
            CellValue::Zero => self.calculates_on_load,
            CellValue::Other => false,
        };
        if cell.has_formula && is_missing {
            let row = cell.place.row;
            let rows = self.not_calculated.entry(cell.place.column);
            rows.or_insert((row, row)).1 = row;
        }
    }
}

/// calamine takes the first cell of a sheet from the last one.
fn check_dimension(tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
    for attribute in attributes(tag) {
        let (key, value) = attribute?;
        if key == "ref" {
            let (first, last) = value.split_once(':').unwrap_or((&value, &value));
            let (first, last) = (CellPlace::read(first), CellPlace::read(last));
            let is_sound = first
                .zip(last)
                .is_some_and(|(first, last)| first.row <= last.row && first.column <= last.column);
            if !is_sound {
                return Err(WorkbookError::Unreadable);
            }
        }
    }
    Ok(())
}
