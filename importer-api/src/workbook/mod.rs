//! An Excel workbook (.xlsx) → the CSV of its first sheet, in bounded memory, so
//! that everything behind the upload sees a CSV.
//!
//! calamine reads the cells. It believes what a file says of itself, holds all
//! its texts in memory, and tells neither hidden rows nor formulas without a
//! value: a `Package` is looked through first, with the same two libraries
//! that calamine stands on, and refused where it is too large, unlike what a
//! spreadsheet writes, or in doubt. Nothing that a workbook refers to is fetched.

mod error;
mod held;
mod limits;
mod number_format;
mod other_sheet;
mod package;
mod part;
mod place;
mod sheet;
mod table;
mod value;

use std::io::Cursor;

use calamine::{Reader, Xlsx};

pub use error::WorkbookError;
pub use held::{HeldWorkbook, WorkbookRoom};
use package::Package;
pub use place::CellPlace;
use table::Table;

/// The first bytes of a zip archive, which a workbook is.
pub const ZIP: &[u8] = b"PK\x03\x04";

/// Gives the first sheet of a workbook as CSV, in pieces, until a piece is not
/// taken. A row of the sheet is the line of its number: lines are left blank
/// for rows without cells, and a line break in a cell ends no line.
///
/// # Errors
/// Why it is not taken, and which cell or row is to be looked at.
pub fn convert(file: &[u8], take: impl FnMut(Vec<u8>) -> bool) -> Result<(), WorkbookError> {
    let sheet = Package::of(file)?.first_sheet()?;
    let mut workbook = Xlsx::new(Cursor::new(file)).map_err(|_| WorkbookError::Unreadable)?;
    let cells = workbook.worksheet_cells_reader(&sheet.name);
    let mut cells = cells.map_err(|_| WorkbookError::Unreadable)?;
    let mut table = Table::new(&sheet, take);
    loop {
        let cell = cells.next_cell_with_style_id();
        let cell = cell.map_err(|_| WorkbookError::Cell(table.last_cell()))?;
        let Some((cell, style)) = cell else { break };
        let format = cells.styles().get(style);
        let format = format.and_then(|style| style.number_format.as_ref());
        let format = format.map_or("", |format| &format.format_code);
        if !table.cell(cell.get_position().into(), cell.get_value(), format)? {
            return Ok(());
        }
    }
    table.finish()
}
